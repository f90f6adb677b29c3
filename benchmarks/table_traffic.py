"""Measures how many rows of the ID tables a step touches, and so what replicas would send each other.

    python benchmarks/table_traffic.py [--examples FOLDER] [--quick]

Reads training examples that LogIngest wrote, by default those of `make demo`, in their order, and counts for
several batch sizes, in each batch: the lookups (every id of the impression and of its behaviors), and the distinct
ones, which is what a replica sends after it has added up its duplicates. Each figure is the median over the batches.
No figure has a bar: they depend on the logs, and docs/large_tables.md computes with them.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.reporting import progress, report

# Columns that share a table.
TABLES = {
    "user_id": ("user_id",),
    "item_id": ("item_id", "behavior_item_id"),
    "category_id": ("category_id", "behavior_category_id"),
    "shop_id": ("shop_id", "behavior_shop_id"),
}
BATCH_SIZES = (512, 2_048, 8_192)


def main() -> None:
    """Counts and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", default="runs/demo/root/artifacts/LogIngest/examples/1/Split-train")
    parser.add_argument("--quick", action="store_true", help="five batches of each size")
    options = parser.parse_args()
    figures = {}
    for batch_size in BATCH_SIZES:
        progress(f"batches of {batch_size}")
        figures[str(batch_size)] = _count(options.examples, batch_size, 5 if options.quick else 40)
    report("table_traffic", figures, {})


def _count(folder: str, batch_size: int, batches: int) -> dict[str, float]:
    import tensorflow as tf

    files = sorted(tf.io.gfile.glob(f"{folder}/*"))
    if not files:
        sys.exit(f"table_traffic: expected examples in {folder}, got no file")
    spec = {name: tf.io.VarLenFeature(tf.string) for columns in TABLES.values() for name in columns}
    compression = "GZIP" if files[0].endswith(".gz") else ""
    records = tf.data.TFRecordDataset(files, compression_type=compression)
    found: dict[str, list[int]] = {"lookups": [], "distinct": []} | {name: [] for name in TABLES}
    for batch in records.batch(batch_size, drop_remainder=True).take(batches):
        columns = tf.io.parse_example(batch, spec)
        ids = {
            table: tf.concat([columns[name].values for name in names], 0) for table, names in TABLES.items()
        }
        distinct = {table: len(tf.unique(values).y) for table, values in ids.items()}
        found["lookups"].append(sum(map(len, ids.values())))
        found["distinct"].append(sum(distinct.values()))
        for table, count in distinct.items():
            found[table].append(count)
    return {name: statistics.median(counts) for name, counts in found.items() if counts}


if __name__ == "__main__":
    main()
