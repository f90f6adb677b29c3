"""Strategies by name, and what they say where they cannot be opened."""

import json

import pytest
import tensorflow as tf

from models.ctr.config import CtrConfig
from models.distribution.strategy import is_chief, open_strategy
from models.make.config import MakeConfig
from models.recall.config import RecallConfig
from transforms.input_error import InputError


def test_none_is_one_replica_without_a_scope() -> None:
    strategy = open_strategy("none")
    assert strategy.num_replicas_in_sync == 1
    assert not tf.distribute.has_strategy()
    assert is_chief(strategy)


def test_mirrored_takes_all_devices_and_is_opened_once() -> None:
    strategy = open_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert strategy.num_replicas_in_sync == len(devices)
    assert open_strategy("mirrored") is strategy
    assert is_chief(strategy)


def test_unknown_strategy_names_the_choices() -> None:
    with pytest.raises(InputError, match="one of none, mirrored, multi_worker, tpu, got horovod"):
        open_strategy("horovod")


@pytest.mark.parametrize(
    "config, section", [(CtrConfig, "ctr"), (MakeConfig, "make"), (RecallConfig, "recall")]
)
def test_configs_check_the_strategy(config: type, section: str) -> None:
    assert config().strategy == "none"
    assert config(strategy="mirrored").strategy == "mirrored"
    with pytest.raises(InputError, match=rf"{section}\.strategy must be one of none, .* got mirored"):
        config(strategy="mirored")


def _tf_config(cluster: dict, task: dict) -> str:
    return json.dumps({"cluster": cluster, "task": task})


WORKER = {"worker": ["localhost:1", "localhost:2"]}


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "[]",
        "not JSON",
        json.dumps({"cluster": WORKER}),
        _tf_config(WORKER, {"type": "worker", "index": 2}),
        _tf_config(WORKER, {"type": "chief", "index": 0}),
        _tf_config(WORKER | {"ps": ["localhost:3"]}, {"type": "worker", "index": 0}),
    ],
)
def test_unusable_tf_config_is_quoted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(InputError, match="expected TF_CONFIG to name the workers") as raised:
        open_strategy("multi_worker")
    assert str(raised.value).endswith(f"got {value}")


def test_multi_worker_needs_tf_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="TF_CONFIG .* got none"):
        open_strategy("multi_worker")


def test_multi_worker_must_be_opened_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.constant(0)
    monkeypatch.setenv("TF_CONFIG", _tf_config(WORKER, {"type": "worker", "index": 0}))
    with pytest.raises(InputError, match="before TensorFlow computes anything"):
        open_strategy("multi_worker")


def test_tpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(InputError, match="expected TPU_NAME to name a TPU"):
        open_strategy("tpu")
