"""The other half of `din_movielens.py`: FuxiCTR's DIN on the same arrays, in an environment of its own.

    python benchmarks/din_fuxictr.py --data data.npz --out fuxictr.npz --seeds 0 1 2 --batch-size 256

FuxiCTR (PyPI: fuxictr) is an independent implementation on PyTorch. Its model, loss, optimizer and training
loop run as they come; only the reading of its own Parquet files is replaced, by batches of our arrays.
"""

import argparse
import logging
import math
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.torch_utils import seed_everything
from model_zoo.LongCTR.DIN.DIN import DIN

ITEM_FEATURES = ("item_id", "category_id", "shop_id")
FEATURES = ("user_id", *ITEM_FEATURES)
# Two sizes of the network: FuxiCTR's defaults, and ours.
VARIANTS = {
    "defaults": {"dnn_hidden_units": [512, 128, 64], "attention_hidden_units": [64]},
    "sizes_of_adlens": {"dnn_hidden_units": [128, 64], "attention_hidden_units": [32]},
}


class Batches:
    """The batches of one split, in the form that FuxiCTR's DIN takes: fields, items and padding mask.

    Args:
        arrays: all arrays by `<split>/<name>`.
        split: which of them.
        batch_size: int > 0.
        generator: shuffles the rows anew in every pass; None keeps them in time order.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        split: str,
        batch_size: int,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.clicked = torch.from_numpy(arrays[f"{split}/clicked"])
        self.user_id = torch.from_numpy(arrays[f"{split}/user_id"])
        # The target stands after the behaviors: [rows, length + 1].
        self.items = {
            name: torch.from_numpy(
                np.column_stack([arrays[f"{split}/behavior_{name}"], arrays[f"{split}/{name}"]])
            )
            for name in ITEM_FEATURES
        }
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return math.ceil(len(self.clicked) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[dict, dict, torch.Tensor]]:
        order = np.arange(len(self.clicked))
        if self.generator is not None:
            self.generator.shuffle(order)
        for rows in torch.from_numpy(order).split(self.batch_size):
            items = {name: values[rows] for name, values in self.items.items()}
            mask = (items["item_id"][:, :-1] != 0).float()
            fields = {"user_id": self.user_id[rows], "clicked": self.clicked[rows]}
            yield fields, {name: values.flatten() for name, values in items.items()}, mask


def feature_map(arrays: Mapping[str, np.ndarray], embedding_dim: int, folder: str) -> FeatureMap:
    """What FuxiCTR has to know of the columns: whose they are, and the rows of their tables."""
    described = FeatureMap("movielens", folder)
    described.features = OrderedDict(
        (
            name,
            {
                "type": "categorical",
                "source": "item" if name in ITEM_FEATURES else "user",
                "vocab_size": int(arrays[f"table_size/{name}"]),
                "embedding_dim": embedding_dim,
                "padding_idx": 0,
            },
        )
        for name in FEATURES
    )
    described.labels = ["clicked"]
    described.num_fields = described.get_num_fields()
    described.set_column_index()
    return described


def train(
    arrays: Mapping[str, np.ndarray], variant: str, seed: int, options: argparse.Namespace
) -> np.ndarray:
    """Trains one model for one epoch and returns the probabilities of the test split."""
    seed_everything(seed)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "movielens").mkdir()
        model = DIN(
            feature_map(arrays, options.embedding_dim, folder),
            embedding_dim=options.embedding_dim,
            learning_rate=options.learning_rate,
            optimizer="adam",
            loss="binary_crossentropy",
            metrics=["AUC", "logloss"],
            model_root=folder,
            verbose=0,
            **VARIANTS[variant],
        )
        generator = np.random.default_rng(seed) if options.shuffle else None
        train_batches = Batches(arrays, "train", options.batch_size, generator)
        model.fit(train_batches, epochs=1, validation_data=Batches(arrays, "eval", options.batch_size))
        return model.predict(Batches(arrays, "test", options.batch_size))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--embedding-dim", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--shuffle", action="store_true", help="shuffle the training rows, FuxiCTR's habit")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    arrays = dict(np.load(options.data))
    predictions = {}
    for variant in VARIANTS:
        for seed in options.seeds:
            started = time.perf_counter()
            predictions[f"{variant}/{seed}"] = train(arrays, variant, seed, options)
            print(f"fuxictr {variant} seed {seed}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    np.savez(options.out, **predictions)


if __name__ == "__main__":
    main()
