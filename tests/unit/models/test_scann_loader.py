"""That ScaNN and TensorFlow Recommenders import, and that ScaNN finds the nearest."""

import sys

import numpy as np
import pytest

from models.scann_loader import import_scann_pybind, open_scann_searcher


def test_tensorflow_recommenders_imports_beside_scann():
    import tensorflow_recommenders

    # Its ScaNN layer is there only if ScaNN itself could be imported.
    assert issubclass(tensorflow_recommenders.layers.factorized_top_k.ScaNN, object)
    assert sys.modules["scann.scann_ops.py.scann_ops"] is None


def test_builds_searches_and_opens_what_it_wrote(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((200, 4), np.float32)
    builder = import_scann_pybind().builder(vectors, 1, "dot_product")
    searcher = builder.score_brute_force().build()
    query = np.array([1, 2, 3, 4], np.float32)
    expected = int(
        np.argmax([sum(float(a) * b for a, b in zip(row, (1, 2, 3, 4), strict=True)) for row in vectors])
    )
    assert searcher.search(query)[0].tolist() == [expected]

    searcher.serialize(str(tmp_path), relative_path=True)
    opened = open_scann_searcher(str(tmp_path), (tmp_path / "scann_assets.pbtxt").read_text(encoding="utf-8"))
    assert opened.search(query)[0].tolist() == [expected]


def test_broken_files_are_an_error(tmp_path):
    (tmp_path / "scann_config.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises((RuntimeError, ValueError)):
        open_scann_searcher(str(tmp_path), "")
