"""What a request for recommendations costs without any server: its parts, called one after the other in one process."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.made_requests import FEATURES, MODALITIES, runtime_call

# isort: split
import numpy as np
import tensorflow as tf

from serving.embedding_index.open_embedding_index import open_embedding_index
from serving.item_store.open_item_store import open_item_store
from serving.recall_signatures import REORDER, SCORE
from serving.retrieval.vector_index import VectorIndex
from transforms.preprocessing import BEHAVIOR_COLUMNS

_USER = [feature.name for feature in FEATURES if feature.side == "user"]


class BareParts:
    """The models, the index and the stores of a root, opened in this process.

    Args:
        root: what `adlens serve` has served, and does no more.
        num_retrieved: items that the index brings and recall reorders.
        num_ranked: the best of them, which are ranked.
    """

    def __init__(self, root: Path, num_retrieved: int, num_ranked: int) -> None:
        self.num_retrieved, self.num_ranked = num_retrieved, num_ranked
        recall, ctr = (_only_version(root / "serving" / name) for name in ("recall", "ctr"))
        # The signatures live as long as what was loaded.
        self._loaded = [tf.saved_model.load(str(folder)) for folder in (recall, ctr)]
        signatures = [each.signatures for each in self._loaded]
        self._embed = runtime_call("serving_default", signatures[0]["serving_default"])
        self._reorder = runtime_call(REORDER, signatures[0][REORDER])
        self._score = runtime_call("score_candidates", signatures[1]["score_candidates"])
        self._new = {
            name: tf.zeros([0, *spec.shape[1:]], spec.dtype)
            for name, spec in signatures[0][REORDER].structured_input_signature[1].items()
            if name.startswith("new_")
        }
        self._index = VectorIndex.load(recall / "assets.extra" / "index")
        self._embeddings = open_embedding_index(str(root / "online" / "index"), readonly=True)
        self._items = open_item_store(str(root / "online" / "items"), readonly=True)

    def recommend(self, body: Mapping[str, Any], k: int) -> tuple[list[str], dict[str, float]]:
        """The k best items, and the seconds of each part."""
        times = [time.perf_counter()]
        behaviors: Sequence[Mapping[str, str]] = body["behaviors"]
        columns = {name: tf.constant([body["user"].get(name, "")]) for name in ("user_id", *_USER)}
        for name in BEHAVIOR_COLUMNS:
            columns[f"behavior_{name}"] = tf.constant([[behavior[name] for behavior in behaviors]])
        user = self._embed({**columns, **self._new})
        times.append(time.perf_counter())
        found, inner = self._index.search(user, self.num_retrieved)
        times.append(time.perf_counter())
        candidates = {"item_id": tf.constant(found[0]), SCORE: tf.constant(inner[0])}
        reordered = self._reorder({**columns, **candidates, **self._new})
        ranked = [found[0][place] for place in np.argsort(-reordered)[: self.num_ranked]]
        times.append(time.perf_counter())
        item_ids = [*(behavior["item_id"] for behavior in behaviors), *ranked]
        stored = self._items.get(item_ids)
        times.append(time.perf_counter())
        vectors = {modality: np.array(self._embeddings.get(modality, item_ids)) for modality in MODALITIES}
        times.append(time.perf_counter())
        for name in BEHAVIOR_COLUMNS:
            columns[name] = tf.constant([getattr(item, name) for item in stored[len(behaviors) :]])
        for modality, each in vectors.items():
            columns[f"behavior_{modality}_embedding"] = tf.constant(each[None, : len(behaviors)])
            columns[f"{modality}_embedding"] = tf.constant(each[len(behaviors) :])
        scores = self._score(columns)
        best = [ranked[place] for place in np.argsort(-scores)[:k]]
        times.append(time.perf_counter())
        names = ("recall", "retrieve", "reorder", "items", "embeddings", "rank")
        return best, dict(zip(names, np.diff(times).tolist(), strict=True))


def _only_version(folder: Path) -> Path:
    (version,) = [path for path in folder.iterdir() if path.name.isdecimal()]
    return version
