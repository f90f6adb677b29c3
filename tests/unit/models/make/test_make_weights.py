"""A knowledge extractor as bytes."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.layers.knowledge_extractor import KnowledgeExtractor
from models.make.config import MakeConfig
from models.make.model import MakeModel
from models.make.weights import dump_weights, load_weights
from transforms.feature import ID_FEATURES

SHAPES = {"image": (6, 5), "text": (5, 4)}
CONFIG = MakeConfig(attention_units=(4, 3), mlp_units=(5, 3), projection_dim=3, seed=2)


def _trained(config: MakeConfig = CONFIG) -> KnowledgeExtractor:
    """With weights that are not those it begins with."""
    extractor = MakeModel(SHAPES, config).extractor
    rng = np.random.default_rng(5)
    extractor.set_weights([rng.normal(size=weight.shape) for weight in extractor.get_weights()])
    return extractor


def _parts(extractor: KnowledgeExtractor) -> dict[str, list[bytes]]:
    """The weights of each part, reached by name and not by their order."""
    parts = {
        "projections": [projection.numpy() for projection in extractor.projections],
        "attention": extractor.attention.get_weights(),
        "hidden": [weight for layer in extractor.hidden_layers for weight in layer.get_weights()],
        "logit": extractor.logit.get_weights(),
    }
    return {name: [weight.tobytes() for weight in weights] for name, weights in parts.items()}


def test_round_trip_bit_for_bit() -> None:
    trained, other = _trained(), MakeModel(SHAPES, CONFIG).extractor
    data = dump_weights(trained)
    assert _parts(other) != _parts(trained)
    load_weights(other, data)
    assert _parts(other) == _parts(trained)
    assert dump_weights(other) == data


@pytest.mark.parametrize("mixed_precision", [False, True])
@pytest.mark.parametrize("train_make", [False, True])
@pytest.mark.parametrize("integration", ["make", "simtier_make"])
def test_into_the_click_through_rate_model(integration: str, train_make: bool, mixed_precision: bool) -> None:
    trained = _trained()
    sizes = {"user_id": 3, "item_id": 3, "category_id": 3, "shop_id": 3}
    config = CtrConfig(integration, train_make=train_make, mixed_precision=mixed_precision)
    model = CtrModel(ID_FEATURES, sizes, config, SHAPES, CONFIG)
    load_weights(model.knowledge.extractor, dump_weights(trained))
    assert _parts(model.knowledge.extractor) == _parts(trained)
    assert bool(model.knowledge.trainable_variables) == train_make


def test_the_file_holds_arrays_alone() -> None:
    with np.load(io.BytesIO(dump_weights(_trained())), allow_pickle=False) as arrays:
        assert all(array.dtype == np.float32 for array in arrays.values())
        # Two projections, an attention of two layers with pairs and a logit, two hidden layers and a logit.
        assert len(arrays.files) == 2 + 7 + 4 + 2


@pytest.mark.parametrize(
    "config",
    [
        MakeConfig(attention_units=(4, 3), mlp_units=(5, 3), projection_dim=4),
        MakeConfig(attention_units=(4, 3), mlp_units=(5, 3, 2), projection_dim=3),
        MakeConfig(attention_units=(4,), mlp_units=(5, 3), projection_dim=3),
    ],
    ids=["projection", "mlp", "attention"],
)
def test_other_sizes_are_refused(config: MakeConfig) -> None:
    with pytest.raises(ValueError):
        load_weights(MakeModel(SHAPES, config).extractor, dump_weights(_trained()))


class Intruder:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def _as_archive(content: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{"0": np.array([content], dtype=object)})
    return stream.getvalue()


@pytest.mark.parametrize("pack", [_as_archive, pickle.dumps], ids=["archive", "pickle"])
def test_nothing_is_unpickled(tmp_path: Path, pack: Callable[[object], bytes]) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(ValueError, match="allow_pickle="):
        load_weights(_trained(), pack(Intruder(trace)))
    assert not trace.exists()
