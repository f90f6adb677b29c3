"""The click-through-rate model against its equations taken by the letter, in every way that content enters."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.ctr.config import CtrConfig
from models.ctr.model import CtrModel
from models.layers.knowledge_extractor import KnowledgeExtractor
from models.layers.target_attention import TargetAttention

CONFIG = CtrConfig(embedding_dim=4, attention_units=(6, 5), mlp_units=(8, 7), num_tiers=5)
ITEM_FEATURES = ("item_id", "category_id", "shop_id")
Numbers = list[np.ndarray]


def _relu_layers(weights: Sequence[np.ndarray], x: np.ndarray) -> Numbers:
    """The outputs of layers, one after the other; kernels and biases take turns."""
    outputs = []
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        x = np.maximum(x @ kernel.astype(np.float64) + bias, 0)
        outputs.append(x)
    return outputs


def _attend(attention: TargetAttention, target: np.ndarray, behaviors: Numbers, pairs: Numbers) -> np.ndarray:
    """DIN: each behavior, and what is known of the pair, times an MLP of all that is known."""
    kernel, bias, *dense = attention.get_weights()
    if attention.pair_dim:
        of_pairs, *dense = dense
        kernel = np.concatenate([kernel, of_pairs])
    total = np.zeros(len(target) + attention.pair_dim)
    for k, s in zip(behaviors, pairs, strict=True):
        together = np.concatenate([target, k, target - k, target * k, s])
        hidden = _relu_layers([kernel, bias, *dense[:-2]], together)[-1]
        total += (hidden @ dense[-2] + dense[-1]) * np.concatenate([k, s])
    return total


def _knowledge(
    extractor: KnowledgeExtractor, targets: Numbers, behaviors: list[Numbers], similarities: Numbers
) -> np.ndarray:
    """MAKE, of the behaviors that have an embedding of some modality."""
    projections = [projection.numpy().astype(np.float64) for projection in extractor.projections]

    def project(of_modalities: Numbers) -> np.ndarray:
        return np.concatenate([v @ p for v, p in zip(of_modalities, projections, strict=True)])

    there = [place for place, parts in enumerate(behaviors) if any(part.any() for part in parts)]
    target = project(targets)
    interest = _attend(
        extractor.attention,
        target,
        [project(behaviors[place]) for place in there],
        [similarities[place] for place in there],
    )
    v_make = np.concatenate([interest, target, interest[: len(target)] * target])
    weights = [weight for layer in extractor.hidden_layers for weight in layer.get_weights()]
    return np.concatenate([v_make, *_relu_layers(weights, v_make)])


def _tiers(similarities: Sequence[float], num_tiers: int) -> np.ndarray:
    """The histogram of algorithm 1, a tier at a time; the last one is closed."""
    edges = [-1 + 2 * tier / num_tiers for tier in range(num_tiers)] + [np.inf]
    return np.array(
        [
            sum(low <= similarity < high for similarity in similarities)
            for low, high in itertools.pairwise(edges)
        ],
        np.float64,
    )


def _literal(
    model: CtrModel, vectors: dict[str, np.ndarray], inputs: dict[str, np.ndarray], row: int
) -> float:
    """One row's logit from the weights, written out as the papers do and without a batch."""
    tables = {name: np.array(table.table.numpy(), np.float64) for name, table in model.tables.items()}
    has, integration = inputs["behavior_item_id_xf"][row] != 0, model.config.integration
    places = np.flatnonzero(has)

    def embed(name: str) -> np.ndarray:
        value = inputs[f"{name}_xf"][row]
        return tables[name][value] if name in tables else np.array([value])

    names = list(model.embedding_shapes)
    targets = [vectors[name][inputs[f"{name}_row"][row]].astype(np.float64) for name in names]
    behaviors = [
        [vectors[name][inputs[f"behavior_{name}_row"][row, place]] for name in names] for place in places
    ]
    similarities = [
        np.array([t @ part for t, part in zip(targets, parts, strict=True)]) for parts in behaviors
    ]

    target = [embed(name) for name in ITEM_FEATURES]
    keys = [
        [tables[name][inputs[f"behavior_{name}_xf"][row, place]] for name in ITEM_FEATURES]
        for place in places
    ]
    pairs = [np.zeros(0)] * len(places)
    added = []
    if integration == "vector":
        target += targets
        keys = [key + parts for key, parts in zip(keys, behaviors, strict=True)]
        added += targets
    if integration == "simscore":
        pairs = similarities
    if integration in ("simtier", "simtier_make"):
        for number, name in enumerate(names):
            known = [
                similarity[number]
                for similarity, place in zip(similarities, places, strict=True)
                if inputs[f"{name}_row"][row] and inputs[f"behavior_{name}_row"][row, place]
            ]
            added.append(_tiers(known, model.config.num_tiers))
    if integration in ("make", "simtier_make"):
        added.append(_knowledge(model.knowledge.extractor, targets, behaviors, similarities))

    interest = _attend(model.attention, np.concatenate(target), [np.concatenate(key) for key in keys], pairs)
    user = [embed(name) for name in ("user_id", "gender", "age", "hour")]
    item_side = [embed(name) for name in (*ITEM_FEATURES, "price", "brand")]
    weights = [*model.first_dense.get_weights(), *model.mlp.get_weights()]
    hidden = _relu_layers(weights[:-2], np.concatenate([*user, *item_side, interest, *added]))[-1]
    return float((hidden @ weights[-2] + weights[-1])[0])


@pytest.mark.parametrize("modalities", [("image",), ("text",), ("image", "text")], ids="+".join)
@pytest.mark.parametrize("integration", ["id", "vector", "simscore", "simtier", "make", "simtier_make"])
def test_logits_equal_the_literal_form(
    make_model: Callable,
    make_inputs: Callable,
    vectors: dict[str, np.ndarray],
    integration: str,
    modalities: tuple[str, ...],
) -> None:
    config = dataclasses.replace(CONFIG, integration=integration)
    model = make_model(config, randomize=True, modalities=modalities)
    inputs = make_inputs(24, modalities=modalities)
    # All cases are among the rows: no embedding of the target, of some of the behaviors, no behaviors at all.
    is_real = inputs["behavior_item_id_xf"] != 0
    assert not is_real.any(axis=1).all()
    for modality in modalities:
        assert not inputs[f"{modality}_row"].all()
        assert (is_real & (inputs[f"behavior_{modality}_row"] == 0)).any()
    logits = model(inputs)
    assert logits.shape == (24,) and logits.dtype == "float32"
    expected = [_literal(model, vectors, inputs, row) for row in range(24)]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
