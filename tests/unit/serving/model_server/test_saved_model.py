"""Loading SavedModels as TF Serving does, whole ones and others."""

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.model_server.predict import predict
from serving.model_server.saved_model import SavedModel
from serving.model_server.serving_error import ServingError
from serving.model_server.warm_up import MAX_RECORDS, WARM_UP_FILE, warm_up

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from served_models import predict_request, save_model, write_warm_up


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("saved"), 1, addend=2.0)


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy"


def test_variables_tables_and_filters(saved: Path) -> None:
    model = SavedModel(saved)
    outputs = predict(model, "", {"x": np.float32([1, 4])}, ())
    assert list(outputs) == ["y"] and outputs["y"].tolist() == [2.5, 4.0]
    words = np.array([b"blue", b"green"], object)
    assert predict(model, "words", {"word": words}, ())["place"].tolist() == [1, -1]
    several = {"a": np.float32([3]), "b": np.int64([1])}
    assert predict(model, "several", several, ("difference",)) == {"difference": [2.0]}
    assert {name: each.tolist() for name, each in predict(model, "several", several, ()).items()} == {
        "difference": [2.0],
        "sum": [4.0],
    }
    model.close()


def test_results_without_a_dimension_are_arrays(saved: Path) -> None:
    model = SavedModel(saved)
    outputs = predict(model, "strings", {"text": np.array(b"red", object)}, ())
    for name, expected in (("text", b"red"), ("raw_bytes", b"red!")):
        assert isinstance(outputs[name], np.ndarray) and outputs[name].shape == ()
        assert outputs[name].item() == expected
    total = predict(model, "total", {"x": np.array([1.0, 2.5])}, ())["y"]
    assert isinstance(total, np.ndarray) and total.shape == () and total == 3.5
    model.close()


def test_versions_do_not_share_variables(saved: Path, tmp_path: Path) -> None:
    first, second = SavedModel(saved), SavedModel(save_model(tmp_path, 2, addend=10.0))
    inputs = {"x": np.float32([0])}
    assert predict(first, "", inputs, ())["y"] == 2 and predict(second, "", inputs, ())["y"] == 10
    first.close()
    assert predict(second, "", inputs, ())["y"] == 10
    second.close()


def test_shapes_are_the_operations_affair(saved: Path) -> None:
    model = SavedModel(saved)
    # The signature says [None]; nothing objects to another rank but an operation that cannot.
    assert predict(model, "", {"x": np.float32([[1, 2]])}, ())["y"].tolist() == [[2.5, 3.0]]
    with pytest.raises(ServingError, match="Input to reshape is a tensor with 3 values") as raised:
        predict(model, "checked", {"x": np.float32([1, 2, 3])}, ())
    assert raised.value.code == grpc.StatusCode.INVALID_ARGUMENT
    model.close()


def test_a_model_of_tensorflow_1(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        factor = tf.compat.v1.get_variable("factor", initializer=3.0, use_resource=False)
        y = tf.multiply(x, factor, name="y")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, {"y": y})
    model = SavedModel(tmp_path / "1")
    assert predict(model, "", {"x": np.float32([2])}, ())["y"].tolist() == [6]
    model.close()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("saved_model.pb", "holds no saved_model.pb"),
        ("variables", "not whole: variables/variables.index missing"),
        ("variables/variables.index", "not whole: variables/variables.index missing"),
        ("variables/variables.data-00000-of-00001", "variables.data-00000-of-00001"),
        ("assets", "not whole: assets/words_of_1.txt missing"),
    ],
)
def test_a_half_written_version_is_not_loaded(copy: Path, missing: str, message: str) -> None:
    path = copy / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ServingError, match=message):
        SavedModel(copy)


@pytest.mark.parametrize(
    "file", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_file_is_not_loaded(copy: Path, file: str, share: float) -> None:
    data = (copy / file).read_bytes()
    (copy / file).write_bytes(data[: int(share * len(data))])
    with pytest.raises(ServingError):
        SavedModel(copy)


def test_a_corrupt_file_is_not_loaded(copy: Path) -> None:
    for file in ("variables/variables.data-00000-of-00001", "saved_model.pb"):
        (copy / file).write_bytes(b"\xff" * 1000)
        with pytest.raises(ServingError):
            SavedModel(copy)


def test_other_tags(saved: Path) -> None:
    with pytest.raises(ServingError, match=r"no graph with tags \['gpu'\]: \[\['serve'\]\]"):
        SavedModel(saved, frozenset({"gpu"}))


def test_unknown_operations(copy: Path) -> None:
    file = copy / "saved_model.pb"
    data = file.read_bytes()
    assert data.count(b"VarHandleOp")
    file.write_bytes(data.replace(b"VarHandleOp", b"VarHandleOq"))
    with pytest.raises(
        ServingError, match="needs an operation of a library that is not imported: .*VarHandleOq"
    ):
        SavedModel(copy)


def test_warm_up(copy: Path) -> None:
    model = SavedModel(copy)
    assert warm_up(model, copy) == 0
    write_warm_up(
        copy, [predict_request(x=np.float32([1])), predict_request(signature="total", x=np.ones(2))]
    )
    assert warm_up(model, copy) == 2
    write_warm_up(copy, [predict_request(x=np.float32([1])), predict_request(signature="absent", x=1.0)])
    with pytest.raises(ServingError, match='"absent" not found'):
        warm_up(model, copy)
    write_warm_up(copy, [predict_request(x=np.float32([1]))] * (MAX_RECORDS + 1))
    with pytest.raises(ServingError, match="exceeds the maximum"):
        warm_up(model, copy)
    write_warm_up(copy, [])
    assert warm_up(model, copy) == 0
    (copy / WARM_UP_FILE).write_bytes(b"no records" * 100)
    with pytest.raises(ServingError):
        warm_up(model, copy)
    with tf.io.TFRecordWriter(str(copy / WARM_UP_FILE)) as writer:
        writer.write(b"\xff\xff")
    with pytest.raises(ServingError, match="record 1 of .* is no PredictionLog"):
        warm_up(model, copy)
    with tf.io.TFRecordWriter(str(copy / WARM_UP_FILE)) as writer:
        writer.write(b"")
    with pytest.raises(ServingError, match="kind None are not supported"):
        warm_up(model, copy)
    model.close()


def test_the_first_requests_of_many_clients_share_one_call(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = tf.compat.v1.Session._make_callable_from_options

    def noting(session: tf.compat.v1.Session, options: Any) -> Any:
        made.append(list(options.fetch))
        time.sleep(0.1)  # as optimizing a larger graph takes
        return make(session, options)

    monkeypatch.setattr(tf.compat.v1.Session, "_make_callable_from_options", noting)
    model = SavedModel(saved)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda x: predict(model, "", {"x": np.float32([x])}, ()), range(8)))
    assert [answer["y"].tolist() for answer in answers] == [[0.5 * x + 2] for x in range(8)]
    assert len(made) == 1
