"""A request of `retrieve.py` from end to end: a user's vector, the index with its filters, the reordering model."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.made_requests import (
    EMBEDDING_DIM,
    FEATURES,
    LENGTH,
    MODALITIES,
    NUM_USERS,
    SPEC,
    assign_random_weights,
    count_table_rows,
    make_embeddings,
    make_index,
    make_item_ids,
    make_user,
    runtime_call,
    user_columns,
)

# isort: split
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft

from models.recall.config import RecallConfig
from models.recall.item_clicks import ItemClicks
from models.recall.model import RecallModel
from serving.recall_signatures import REORDER, SCORE, RecallModule, save_recall_model
from serving.retrieval.vector_index import VectorIndex

BLOCKED_SHARE, BOUGHT = 0.1, 50


@dataclass(frozen=True)
class Request:
    """One user.

    Attributes:
        behaviors: the items of the behaviors.
        columns: what the user's vector is asked with.
        bought: ids of items that the user may not get.
    """

    behaviors: np.ndarray
    columns: Mapping[str, tf.Tensor]
    bought: Sequence[str]


@dataclass(frozen=True)
class Answer:
    """The best items, and how it came to them.

    Attributes:
        item_ids: the best first.
        scores: float32, theirs.
        user_vector: float32 `[1, dim]`.
        seconds: by stage.
    """

    item_ids: list[str]
    scores: np.ndarray
    user_vector: np.ndarray
    seconds: dict[str, float]


class StagedServer:
    """A saved recall model and an index, loaded, that answer one request after the other.

    Args:
        folder: the SavedModel's.
        index: of the same items.
        blocked: bool `[items]`, True for what no user may get.
    """

    def __init__(self, folder: str, index: VectorIndex, blocked: np.ndarray) -> None:
        self.index = index
        self.blocked = blocked
        # The signatures live as long as what was loaded.
        self._loaded = tf.saved_model.load(folder)
        self._embed, self._reorder = (
            runtime_call(name, self._loaded.signatures[name]) for name in ("serving_default", REORDER)
        )

    def answer(self, request: Request, num_retrieved: int, k: int) -> Answer:
        """The k best of the `num_retrieved` allowed items that are nearest to the user."""
        started = time.perf_counter()
        user_vector = self._embed(request.columns)
        embedded = time.perf_counter()
        found, inner = self.index.search(user_vector, num_retrieved, self.blocked, [request.bought])
        retrieved = time.perf_counter()
        candidates = {"item_id": tf.constant(found[0]), SCORE: tf.constant(inner[0])}
        scores = self._reorder({**request.columns, **candidates})
        best = np.argsort(-scores)[:k]
        item_ids = [found[0][place] for place in best]
        reordered = time.perf_counter()
        seconds = {
            "user_vector": embedded - started,
            "retrieve_and_filter": retrieved - embedded,
            "reorder": reordered - retrieved,
            "total": reordered - started,
        }
        return Answer(item_ids, scores[best], user_vector, seconds)


def save_made_model(
    rng: np.random.Generator, transform_output: tft.TFTransformOutput, num_items: int, folder: str
) -> RecallModel:
    """Writes a recall model with all that retrieval has, of random weights, over items with two embeddings each."""
    vectors = make_embeddings(rng, num_items)
    shapes = {modality: table.shape for modality, table in vectors.items()}
    model = RecallModel(FEATURES, count_table_rows(transform_output), RecallConfig(), shapes)
    assign_random_weights(rng, model)
    model.embeddings.assign(vectors)
    clicks = np.floor(rng.pareto(1.1, num_items)).astype(np.int64)
    module = RecallModule(
        model,
        transform_output.transform_features_layer(),
        SPEC,
        FEATURES,
        LENGTH,
        ItemClicks(pa.array(make_item_ids(num_items)), clicks),
        make_index(num_items),
    )
    save_recall_model(module, folder)
    return model


def make_request(rng: np.random.Generator, num_items: int) -> Request:
    """A user with behaviors to any of the items, who has bought some; no item is new."""
    behaviors = rng.integers(num_items, size=LENGTH)
    columns = user_columns(make_user(int(rng.integers(NUM_USERS)), behaviors.tolist()))
    columns["new_item_id"] = tf.constant([], tf.string)
    for modality in MODALITIES:
        columns[f"new_{modality}_embedding"] = tf.zeros([0, EMBEDDING_DIM])
    return Request(behaviors, columns, [f"item_{item}" for item in rng.integers(num_items, size=BOUGHT)])


def compare_with_exact(server: StagedServer, model: RecallModel, request: Request, k: int) -> float:
    """How far the k best of all stages are from those of all items' whole scores, if all items are retrieved.

    The whole scores are made by the model of which the server's was saved, of rows instead of ids.

    Returns:
        The greatest difference of scores at the same rank.
    """
    answer = server.answer(request, len(server.index), k)
    item_ids, vectors = server.index.items()
    behaviors = tf.constant(1 + request.behaviors[None])
    rows = 1 + tf.range(len(item_ids))
    tiers = model.tier_scores(
        {f"behavior_{modality}_row": behaviors for modality in MODALITIES},
        {f"{modality}_row": rows for modality in MODALITIES},
    )
    exact = vectors @ answer.user_vector[0] + tiers.numpy()[0]
    exact[server.blocked] = -np.inf
    exact[server.index.places(request.bought)] = -np.inf
    best = np.sort(exact)[::-1][:k]
    found = exact[server.index.places(answer.item_ids)]
    return float(np.abs([found - best, answer.scores - best]).max())
