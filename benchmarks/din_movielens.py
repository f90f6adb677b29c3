"""AUC and GAUC of our DIN on the MovieLens logs, next to FuxiCTR's DIN on the same arrays.

    adlens import movielens --input DIR --posters DIR/posters --query-posters DIR/posters_alt --out LOGS
    adlens run --logs LOGS --root ROOT --preset movielens
    python3.11 -m venv FUXICTR && FUXICTR/bin/pip install torch==2.13.0 fuxictr==2.3.10
    .venv/bin/python benchmarks/din_movielens.py --root ROOT --fuxictr-python FUXICTR/bin/python

Both models see the pipeline's own examples of ROOT, transformed by its own graph: the splits by time, the ids
of user, item, category and shop, and 50 behaviors. Both have embeddings of 16, the same batches and one epoch,
and are scored by the same code on the test split. FuxiCTR runs in its own environment, where nothing of ours is
installed; it is tried with its default network and with one of our size, in time order and shuffled, and the
best of the four is what we are compared with.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import models  # noqa: F401  isort: skip  chooses the Keras before TensorFlow is imported
import tensorflow as tf  # isort: skip
import tensorflow_transform as tft  # isort: skip

from benchmarks.reporting import Bar, progress, report
from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.ctr.trainer import train
from models.metrics.auc import auc
from models.metrics.gauc import gauc
from transforms.feature import Feature

ITEM_FEATURES = ("item_id", "category_id", "shop_id")
BEHAVIORS = tuple(f"behavior_{name}" for name in ITEM_FEATURES)
FEATURES = (Feature("user_id"), *(Feature(name, side="item") for name in ITEM_FEATURES))
SPLITS = ("train", "eval", "test")
MOST_BELOW = 0.005
ROWS_PER_READ = 4_096

Arrays = dict[str, np.ndarray]


def read_arrays(root: Path) -> Arrays:
    """Reads the newest examples below `root` as `<split>/<name>`, transformed, with `<split>/user` as it was."""
    examples, graph = newest(root, "LogIngest/examples"), newest(root, "Transform/transform_graph")
    transform = tft.TFTransformOutput(str(graph))
    arrays: Arrays = {}
    for split in SPLITS:
        batches = list(transformed_batches(examples / f"Split-{split}", transform))
        for name in batches[0]:
            arrays[f"{split}/{name}"] = np.concatenate([batch[name] for batch in batches])
    for feature in FEATURES:
        names = [name for name in arrays if name.endswith((f"/{feature.name}", f"_{feature.name}"))]
        arrays[f"table_size/{feature.name}"] = np.array(max(arrays[name].max() for name in names) + 1)
    return arrays


def newest(root: Path, output: str) -> Path:
    """The artifact of the last run: runs are numbered, and a later one has a larger number."""
    folders = [path for path in root.glob(f"**/{output}/*") if path.name.isdigit()]
    if not folders:
        raise SystemExit(f"{root}: expected the root of a finished run, found no {output} below it")
    return max(folders, key=lambda path: int(path.name))


def transformed_batches(folder: Path, transform: tft.TFTransformOutput) -> Iterator[Arrays]:
    layer, spec = transform.transform_features_layer(), transform.raw_feature_spec()
    files = sorted(str(path) for path in folder.iterdir() if path.is_file())
    compression = "GZIP" if files[0].endswith(".gz") else ""
    user_spec = {"user_id": tf.io.FixedLenFeature([], tf.string)}
    for records in tf.data.TFRecordDataset(files, compression_type=compression).batch(ROWS_PER_READ):
        outputs = layer(tf.io.parse_example(records, spec))
        names = ("user_id", *ITEM_FEATURES, *BEHAVIORS)
        batch = {name: outputs[f"{name}_xf"].numpy() for name in names}
        users = tf.io.parse_example(records, user_spec)["user_id"]
        yield batch | {"clicked": outputs["clicked"].numpy(), "user": users.numpy().astype(np.str_)}


def dataset(arrays: Arrays, split: str, batch_size: int) -> tf.data.Dataset:
    names = ("user_id", *ITEM_FEATURES, *BEHAVIORS)
    features = {f"{name}_xf": arrays[f"{split}/{name}"] for name in names}
    return tf.data.Dataset.from_tensor_slices((features, arrays[f"{split}/clicked"])).batch(batch_size)


def train_adlens(arrays: Arrays, seed: int, batch_size: int) -> np.ndarray:
    """Trains our model for one epoch in time order and returns the logits of the test split."""
    config = CtrConfig(integration="id", embedding_dim=16, batch_size=batch_size, seed=seed)
    table_sizes = {feature.name: int(arrays[f"table_size/{feature.name}"]) for feature in FEATURES}
    model = CtrModel(FEATURES, table_sizes, config)
    train(model, dataset(arrays, "train", batch_size), config)
    return model.predict(dataset(arrays, "test", batch_size), verbose=0)


def train_fuxictr(arrays: Arrays, options: argparse.Namespace) -> Arrays:
    """Runs the other half on the same arrays; returns its probabilities by `<variant>/<seed>`."""
    predictions = {}
    script = Path(__file__).with_name("din_fuxictr.py")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "data.npz"), **arrays)
        for order, flags in (("time_order", []), ("shuffled", ["--shuffle"])):
            out = Path(folder, f"{order}.npz")
            command = [options.fuxictr_python, script, "--data", Path(folder, "data.npz"), "--out", out]
            command += ["--batch-size", options.batch_size, "--seeds", *options.seeds, *flags]
            subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)
            predictions |= {f"{order}/{name}": values for name, values in np.load(out).items()}
    return predictions


def scores(arrays: Arrays, predictions: list[np.ndarray]) -> dict[str, float]:
    """Mean and spread over the seeds."""
    clicked, users = arrays["test/clicked"], arrays["test/user"]
    figures = {
        "auc": [auc(clicked, values) for values in predictions],
        "gauc": [gauc(users, clicked, values) for values in predictions],
    }
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    return means | {f"{name}_std": float(np.std(values)) for name, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="root of a finished run on MovieLens logs")
    parser.add_argument("--fuxictr-python", type=Path, required=True, help="interpreter that has fuxictr")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batch-size", type=int, default=CtrConfig().batch_size)
    parser.add_argument("--quick", action="store_true", help="the first seed alone")
    options = parser.parse_args()
    options.seeds = options.seeds[:1] if options.quick else options.seeds

    arrays = read_arrays(options.root)
    rows = {split: len(arrays[f"{split}/clicked"]) for split in SPLITS}
    progress(f"examples: {rows}")
    ours = []
    for seed in options.seeds:
        started = time.perf_counter()
        ours.append(train_adlens(arrays, seed, options.batch_size))
        progress(f"adlens seed {seed}: {time.perf_counter() - started:.0f} s")
    theirs = train_fuxictr(arrays, options)

    figures = {"adlens": scores(arrays, ours)}
    for name in dict.fromkeys(key.rpartition("/")[0] for key in theirs):
        of_seeds = [values for key, values in theirs.items() if key.rpartition("/")[0] == name]
        figures[f"fuxictr/{name}"] = scores(arrays, of_seeds)
    others = [figure for name, figure in figures.items() if name != "adlens"]
    bars = {
        f"{metric}_below_fuxictr": Bar(
            max(figure[metric] for figure in others) - figures["adlens"][metric], at_most=MOST_BELOW
        )
        for metric in ("auc", "gauc")
    }
    setting = {"examples": rows, "seeds": options.seeds, "batch_size": options.batch_size}
    report("din_movielens", setting | figures, bars)


if __name__ == "__main__":
    main()
