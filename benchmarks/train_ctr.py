"""Measures how many examples a second the click-through-rate model trains on, as its item table grows.

    python benchmarks/train_ctr.py [--quick]

One architecture, three trainers, each with what its library offers for large tables:

- adlens: `CtrModel` under plain Keras `fit`, rows of tables by `RowwiseAdagrad`. adlens_simtier_make is the
  same with SimTier and MAKE over two modalities, 128 dimensions each, of as many items as the item table has.
- keras: `keras.layers.Embedding` and DIN as its paper writes it, under plain `fit` with Adam.
- torch: `torch.nn.Embedding(sparse=True)` and DIN as its paper writes it, SparseAdam for the tables and Adam
  for the rest; only where torch is installed. torch_rearranged is the same with the attention's first layer
  split as `TargetAttention` splits it, which tells what that gains from what updating by rows does; the bar
  is against the faster of the two.

Examples are generated in memory, ids uniform over their tables (the hardest case: hardly a row of a large
table is met twice in a batch), 50 behaviors each, batches of 2,048. Rounds are interleaved, so that a machine
that is busy for a while is so for all; a ratio is the median of the rounds' ratios.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.reporting import Bar, progress, report

if TYPE_CHECKING:
    import keras

# torch's threads would spin while they wait, and beside a busy neighbor they lose nearly all their speed to
# that; on a quiet machine it makes no difference.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

HAS_TORCH = importlib.util.find_spec("torch") is not None

BATCH_SIZE = 2_048
LENGTH = 50
SMALL, LARGE, HUGE = 10_000, 1_000_000, 10_000_000
OTHER_TABLES = {"user_id": 10_000, "category_id": 1_000, "shop_id": 10_000}
EMBEDDING_DIM = 128
MODALITIES = ("image", "text")
ITEM_COLUMNS = ("item_id", "category_id", "shop_id")

# Trains a fixed number of steps and returns examples a second.
Trainer = Callable[[], float]


def main() -> None:
    """Runs all trainers in turn, a few rounds, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds, for a look")
    options = parser.parse_args()
    steps, rounds = (6, 3) if options.quick else (24, 7)

    trainers: dict[str, Trainer] = {}
    for rows in (SMALL, LARGE, HUGE):
        trainers[f"adlens_{rows}"] = _adlens(rows, steps, "id")
        # Adam's moments of the largest table alone take 1.3 GB and a step of it many seconds.
        if rows < HUGE:
            trainers[f"keras_{rows}"] = _keras(rows, steps)
            if HAS_TORCH:
                trainers[f"torch_{rows}"] = _torch(rows, steps, rearranged=False)
                trainers[f"torch_rearranged_{rows}"] = _torch(rows, steps, rearranged=True)
    trainers[f"adlens_simtier_make_{LARGE}"] = _adlens(LARGE, steps, "simtier_make")
    for name, trainer in trainers.items():
        progress(f"warming up {name}")
        trainer()
    speeds: dict[str, list[float]] = {name: [] for name in trainers}
    for number in range(rounds):
        for name, trainer in trainers.items():
            speeds[name].append(trainer())
            progress(f"round {number + 1} of {rounds}: {name} {speeds[name][-1]:,.0f} examples a second")

    def ratio(over: str, under: str) -> float:
        pairs = zip(speeds[over], speeds[under], strict=True)
        return round(statistics.median(a / b for a, b in pairs), 3)

    bars = {
        "over_keras_at_1_million": Bar(ratio(f"adlens_{LARGE}", f"keras_{LARGE}"), at_least=3.5),
        "1_million_over_10_million": Bar(ratio(f"adlens_{LARGE}", f"adlens_{HUGE}"), at_most=1.25),
        "simtier_make_over_id_at_1_million": Bar(
            ratio(f"adlens_simtier_make_{LARGE}", f"adlens_{LARGE}"), at_least=0.5
        ),
    }
    if HAS_TORCH:
        ratios = [ratio(f"adlens_{LARGE}", f"{name}_{LARGE}") for name in ("torch", "torch_rearranged")]
        bars["over_torch_at_1_million"] = Bar(min(ratios), at_least=1.6)
    figures = {f"{name}_examples_per_second": round(statistics.median(s)) for name, s in speeds.items()}
    report("train_ctr", figures, bars)


def _examples(
    rows: int, steps: int, modalities: Sequence[str] = ()
) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Batches of transformed features, and rows of embeddings, with their labels."""
    rng = np.random.default_rng(0)
    tables = OTHER_TABLES | {"item_id": rows}
    batches = []
    for _ in range(steps):
        features = {f"{name}_xf": rng.integers(1, size, BATCH_SIZE) for name, size in tables.items()}
        for name in ITEM_COLUMNS:
            features[f"behavior_{name}_xf"] = rng.integers(1, tables[name], (BATCH_SIZE, LENGTH))
        for name in modalities:  # an item has the same row in every table
            features[f"{name}_row"] = features["item_id_xf"].astype(np.int32)
            features[f"behavior_{name}_row"] = features["behavior_item_id_xf"].astype(np.int32)
        batches.append((features, rng.integers(0, 2, BATCH_SIZE).astype(np.float32)))
    return batches


def _embeddings(rows: int) -> dict[str, np.ndarray]:
    """Unit vectors that point anywhere, by modality."""
    rng = np.random.default_rng(1)
    vectors = {name: rng.standard_normal((rows, EMBEDDING_DIM), np.float32) for name in MODALITIES}
    return {name: each / np.linalg.norm(each, axis=1, keepdims=True) for name, each in vectors.items()}


def _keras_fit(
    model: "keras.Model",
    rows: int,
    steps: int,
    modalities: Sequence[str] = (),
) -> Trainer:
    import tensorflow as tf

    from models.input_pipeline import without_autotune

    batches = _examples(rows, steps, modalities)
    features = {name: np.stack([batch[name] for batch, _ in batches]) for name in batches[0][0]}
    labels = np.stack([labels for _, labels in batches])
    dataset = without_autotune(tf.data.Dataset.from_tensor_slices((features, labels)).prefetch(2))

    def train() -> float:
        started = time.perf_counter()
        model.fit(dataset, shuffle=False, verbose=0)
        return steps * BATCH_SIZE / (time.perf_counter() - started)

    return train


def _adlens(rows: int, steps: int, integration: str) -> Trainer:
    from models.ctr.config import CtrConfig
    from models.ctr.model import CtrModel
    from models.ctr.trainer import compile_for_training
    from transforms.feature import ID_FEATURES

    config = CtrConfig(integration=integration, batch_size=BATCH_SIZE)
    shapes = {modality: (rows, EMBEDDING_DIM) for modality in MODALITIES} if config.uses_content else {}
    model = CtrModel(ID_FEATURES, OTHER_TABLES | {"item_id": rows}, config, shapes)
    if config.uses_content:
        model.embeddings.assign(_embeddings(rows))
    compile_for_training(model, config)
    return _keras_fit(model, rows, steps, tuple(shapes))


def _keras(rows: int, steps: int) -> Trainer:
    import keras

    import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)
    from models.ctr.config import CtrConfig

    config = CtrConfig()
    inputs = {
        **{
            f"{name}_xf": keras.Input((), dtype="int64", name=f"{name}_xf")
            for name in (*OTHER_TABLES, "item_id")
        },
        **{
            f"behavior_{name}_xf": keras.Input((LENGTH,), dtype="int64", name=f"behavior_{name}_xf")
            for name in ITEM_COLUMNS
        },
    }
    sizes = OTHER_TABLES | {"item_id": rows}
    tables = {name: keras.layers.Embedding(size, config.embedding_dim) for name, size in sizes.items()}
    query = keras.layers.Concatenate()([tables[name](inputs[f"{name}_xf"]) for name in ITEM_COLUMNS])
    keys = keras.layers.Concatenate()([tables[name](inputs[f"behavior_{name}_xf"]) for name in ITEM_COLUMNS])
    queries = keras.layers.RepeatVector(LENGTH)(query)
    hidden = keras.layers.Concatenate()([queries, keys, queries - keys, queries * keys])
    for units in config.attention_units:
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    mask = keras.ops.cast(keras.ops.not_equal(inputs["behavior_item_id_xf"], 0), "float32")
    weights = keras.layers.Dense(1)(hidden)[..., 0] * mask
    interest = keras.ops.sum(weights[..., None] * keys, axis=1)
    hidden = keras.layers.Concatenate()([tables["user_id"](inputs["user_id_xf"]), query, interest])
    for units in config.mlp_units:
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden)[..., 0])
    model.compile(
        keras.optimizers.Adam(config.learning_rate),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return _keras_fit(model, rows, steps)


def _torch(rows: int, steps: int, rearranged: bool) -> Trainer:
    import torch

    from models.ctr.config import CtrConfig

    config = CtrConfig()
    sizes = OTHER_TABLES | {"item_id": rows}

    def mlp(width: int, units: tuple[int, ...]) -> torch.nn.Sequential:
        layers: list[torch.nn.Module] = []
        for unit in units:
            layers += [torch.nn.Linear(width, unit), torch.nn.ReLU()]
            width = unit
        return torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))

    class Din(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            dim = config.embedding_dim
            self.tables = torch.nn.ModuleDict(
                {name: torch.nn.Embedding(size, dim, sparse=True) for name, size in sizes.items()}
            )
            self.attention = mlp(4 * 3 * dim, config.attention_units)
            self.top = mlp(7 * dim, config.mlp_units)

        def first_layer(self, query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
            if rearranged:
                first, second, third, fourth = self.attention[0].weight.T.chunk(4)
                matrices = second - third + query[:, :, None] * fourth
                of_query = query @ (first + third) + self.attention[0].bias
                return torch.bmm(keys, matrices) + of_query[:, None, :]
            queries = query[:, None, :].expand_as(keys)
            return self.attention[0](torch.cat([queries, keys, queries - keys, queries * keys], -1))

        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            query = torch.cat([self.tables[name](inputs[f"{name}_xf"]) for name in ITEM_COLUMNS], -1)
            keys = torch.cat([self.tables[name](inputs[f"behavior_{name}_xf"]) for name in ITEM_COLUMNS], -1)
            weights = self.attention[1:](self.first_layer(query, keys))
            mask = (inputs["behavior_item_id_xf"] != 0)[..., None]
            interest = (weights * mask * keys).sum(1)
            user = self.tables["user_id"](inputs["user_id_xf"])
            return self.top(torch.cat([user, query, interest], -1))[:, 0]

    model = Din()
    sparse = torch.optim.SparseAdam(list(model.tables.parameters()), lr=config.learning_rate)
    dense = torch.optim.Adam(
        [*model.attention.parameters(), *model.top.parameters()], lr=config.learning_rate
    )
    loss = torch.nn.BCEWithLogitsLoss()
    batches = [
        ({name: torch.from_numpy(values) for name, values in features.items()}, torch.from_numpy(labels))
        for features, labels in _examples(rows, steps)
    ]

    def train() -> float:
        started = time.perf_counter()
        for features, labels in batches:
            sparse.zero_grad()
            dense.zero_grad()
            loss(model(features), labels).backward()
            sparse.step()
            dense.step()
        return steps * BATCH_SIZE / (time.perf_counter() - started)

    return train


if __name__ == "__main__":
    main()
