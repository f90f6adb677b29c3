"""Reading of examples for training."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.ctr.dataset import read_examples
from transforms.input_error import InputError

SPEC = {
    "row": tf.io.FixedLenFeature([], tf.int64),
    "ids": tf.io.FixedLenFeature([2], tf.int64),
    "clicked": tf.io.FixedLenFeature([], tf.int64),
}


def _write(path: Path, rows: range, compression: str = "") -> None:
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for row in rows:
            values = {"row": [row], "ids": [row, row + 100], "clicked": [row % 2]}
            features = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=value))
                for name, value in values.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


@pytest.mark.parametrize("compression, suffix", [("", ""), ("GZIP", ".gz")])
def test_reads_in_the_order_of_names_and_rows(tmp_path: Path, compression: str, suffix: str) -> None:
    # The later file is written first, so that order of creation is not order of names.
    _write(tmp_path / f"examples-1{suffix}", range(5, 9), compression)
    _write(tmp_path / f"examples-0{suffix}", range(5), compression)
    batches = list(read_examples(f"{tmp_path}/examples-*", SPEC, "clicked", batch_size=4))
    assert [features["row"].numpy().tolist() for features, _ in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert [label.numpy().tolist() for _, label in batches] == [[0, 1, 0, 1], [0, 1, 0, 1], [0]]
    np.testing.assert_array_equal(batches[2][0]["ids"], [[8, 108]])
    assert batches[0][1].dtype == tf.float32
    assert set(batches[0][0]) == {"row", "ids"}


def test_begins_where_it_is_told(tmp_path: Path) -> None:
    _write(tmp_path / "examples-0", range(5))
    _write(tmp_path / "examples-1", range(5, 9))
    batches = list(read_examples(f"{tmp_path}/examples-*", SPEC, "clicked", 4, first_batch=1))
    assert [features["row"].numpy().tolist() for features, _ in batches] == [[4, 5, 6, 7], [8]]


def test_transforms_each_batch(tmp_path: Path) -> None:
    _write(tmp_path / "examples", range(3))

    def double(parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"row_xf": parsed["row"] * 2, "clicked": parsed["clicked"]}

    [(features, label)] = read_examples(f"{tmp_path}/examples", SPEC, "clicked", 8, double)
    assert set(features) == {"row_xf"}
    assert features["row_xf"].numpy().tolist() == [0, 2, 4]
    assert label.numpy().tolist() == [0, 1, 0]


def test_no_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no file"):
        read_examples(f"{tmp_path}/none-*", SPEC, "clicked", 4)
