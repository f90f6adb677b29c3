"""Trains a recall model on a run's artifacts."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.click_base import find_vocabularies
from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.continuation.fit_checkpoints import FitCheckpoints
from models.continuation.training_state import TrainingState
from models.ctr.dataset import read_examples
from models.layers.id_embedding import IdEmbedding
from models.recall.config import RecallConfig
from models.recall.content_share import content_shares
from models.recall.dataset import EARLIER_CLICKS, read_clicks
from models.recall.item_clicks import ItemClicks
from models.recall.model import RecallModel
from models.recall.trainer import train
from serving.recall_signatures import RecallModule
from transforms.feature import model_features
from transforms.ingest_config import IngestConfig
from transforms.preprocessing import LABEL, table_rows

EXPERTS = ("id", "content")
_READ_AT_ONCE = 1_024
# Clicks that are held to pick the next from: at most about 200 MB with 50 behaviors each.
SHUFFLE_BUFFER = 65_536


@dataclass(frozen=True)
class RecallSources:
    """Where the artifacts lie that a recall model learns from.

    Attributes:
        train_examples: the folder of the training split.
        transform_graph: of Transform.
        item_stats: of LogIngest.
        embeddings: of CatalogEmbedder; None for a model of IDs alone.
        ingest: names the features and the longest sequence of behaviors.
        earlier_stats: of LogIngest on the day before, where training goes on; None: it begins from nothing.
    """

    train_examples: str
    transform_graph: str
    item_stats: str
    embeddings: str | None
    ingest: IngestConfig
    earlier_stats: str | None = None


def train_recall(
    sources: RecallSources,
    config: RecallConfig,
    base: TrainingState | None = None,
    encoders: Mapping[str, str] = MappingProxyType({}),
    state_folder: str | None = None,
    checkpoints: FitCheckpoints | None = None,
) -> tuple[RecallModule, dict[str, Any]]:
    """Trains the model that `config` describes.

    Args:
        sources: what it learns from.
        config: with its modalities named where the fusion uses content.
        base: what an earlier training left, to go on from with one epoch; None: the model begins from nothing. The
            content expert begins anew where the embeddings are of other encoders.
        encoders: by modality, the fingerprint of the encoder whose embeddings the sources have.
        state_folder: where to leave what the next training needs to go on from this one; None: nowhere.
        checkpoints: where this one goes on from after a kill; None: nowhere.
    Returns:
        What serving calls, and the history: "fusion", what `train` gives, and "gate": the weights of the experts by
        bucket of clicks, up to the last with an item, [{"bucket", "clicks": the least in it, "items", "id",
        "content", "content_share": as `content_shares` gives it, None where it is not defined}, …], None without a
        gate.
    Raises:
        InputError: a modality has no embedding, the base is another model, or the loss is not finite.
    """
    transform_output = tft.TFTransformOutput(sources.transform_graph)
    features = model_features(sources.ingest.features)
    sizes = {f.name: table_rows(f, transform_output) for f in features if f.kind != "numeric"}
    embeddings = _read_embeddings(sources, config)
    model = RecallModel(features, sizes, config, None if embeddings is None else embeddings.shapes)
    clicks = ItemClicks.read(sources.item_stats)
    layer = transform_output.transform_features_layer()
    transform = clicks.beside(layer)
    if base is not None and sources.earlier_stats is not None:
        transform = ItemClicks.read(sources.earlier_stats).beside(transform, EARLIER_CLICKS)
    index = None
    if embeddings is not None:
        model.embeddings.assign(embeddings.vectors)
        index = ItemIndex(embeddings.item_ids, embeddings.rows, sources.ingest.max_behaviors)
        transform = index.beside(transform)
    vocabularies = find_vocabularies(features, transform_output)

    def begin() -> None:
        if base is not None:
            content = [] if model.content_expert is None else [model.content_expert]
            base.restore(model, _tables(model), vocabularies, content if base.encoders != encoders else [])

    if base is not None:
        config = dataclasses.replace(config, epochs=1)
    raw_spec = transform_output.raw_feature_spec()
    impressions = read_examples(f"{sources.train_examples}/*", raw_spec, LABEL, _READ_AT_ONCE, transform)
    examples = read_clicks(impressions, config.batch_size, SHUFFLE_BUFFER, config.seed)
    history = train(model, examples, config, begin=begin, checkpoints=checkpoints)
    if state_folder is not None:
        TrainingState.write(state_folder, model, _tables(model), vocabularies, encoders)
    served_spec = {name: spec for name, spec in raw_spec.items() if name != LABEL}
    module = RecallModule(model, layer, served_spec, features, sources.ingest.max_behaviors, clicks, index)
    return module, {"fusion": config.fusion, **history, "gate": _gate(model, clicks, examples)}


def _tables(model: RecallModel) -> Mapping[str, IdEmbedding]:
    return {} if model.id_expert is None else model.id_expert.tables


def _read_embeddings(sources: RecallSources, config: RecallConfig) -> ItemEmbeddings | None:
    if not config.uses_content or sources.embeddings is None:
        return None
    return ItemEmbeddings.read(sources.embeddings, config.modalities or ())


def _gate(model: RecallModel, clicks: ItemClicks, examples: tf.data.Dataset) -> list[dict[str, Any]] | None:
    if model.gate is None:
        return None
    items = np.bincount(model.gate.buckets(clicks.counts).numpy())
    weights = model.gate.weights_by_bucket().numpy().tolist()
    shares: list[float | None] = [None] * len(weights)
    for batch in examples.take(1):
        shares = [None if np.isnan(share) else share for share in content_shares(model, batch).tolist()]
    return [
        {
            "bucket": bucket,
            "clicks": 0 if bucket == 0 else 2 ** (bucket - 1),
            "items": int(count),
            **dict(zip(EXPERTS, own, strict=True)),
            "content_share": share,
        }
        for bucket, (count, own, share) in enumerate(zip(items, weights, shares, strict=False))
    ]
