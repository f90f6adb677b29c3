"""The data that trials of models of clicks share."""

import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import TextIO

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.content.item_embeddings import ItemEmbeddings
from models.content.item_index import ItemIndex
from models.ctr.dataset import read_examples
from models.make.trainer import read_rows
from pipeline.config import RunConfig
from pipeline.experiment.clicks.prepared import Prepared
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.root import Root
from transforms.feature import model_features
from transforms.preprocessing import LABEL, table_rows
from transforms.time_splits import SPLITS

_CACHE_PREFIX = "experiment-"


class ClickData:
    """Reads and transforms each split once, to disk, for all trials.

    Args:
        prepared: where the artifacts lie.
        config: the configuration of all stages.
        modalities: whose embeddings are read.
        cache: an existing folder, in which a folder of its own holds the transformed examples while this
            process runs.
    Attributes:
        prepared: as it came.
        clicks: the test split, to measure on.
        embeddings: of the catalog.
        features: of the models.
        table_sizes: rows of the features' tables.
        fingerprint: of the embeddings: two trials with the same one have seen the same vectors.
    """

    def __init__(
        self, prepared: Prepared, config: RunConfig, modalities: tuple[str, ...], cache: str
    ) -> None:
        self.prepared = prepared
        self._config = config
        self._cache = tempfile.TemporaryDirectory(prefix=_CACHE_PREFIX, dir=cache)
        self._datasets: dict[str, tf.data.Dataset] = {}
        self.clicks = HeldOutClicks.read(self._split(SPLITS[-1]))
        self.embeddings = ItemEmbeddings.read(prepared.embeddings, modalities)
        self._index = ItemIndex(self.embeddings.item_ids, self.embeddings.rows, config.ingest.max_behaviors)
        self._transform_output = tft.TFTransformOutput(prepared.transform_graph)
        self.features = model_features(config.ingest.features)
        self.table_sizes = {
            feature.name: table_rows(feature, self._transform_output)
            for feature in self.features
            if feature.kind != "numeric"
        }
        self.fingerprint = _fingerprint(self.embeddings)

    @classmethod
    def make(cls, logs: str, places: Root, config: RunConfig, out: TextIO) -> "ClickData":
        """Runs the stages that are missing; see `Prepared.make`."""
        prepared = Prepared.make(logs, places, config, out)
        os.makedirs(places.cache, exist_ok=True)
        for left_behind in glob.glob(f"{places.cache}/{_CACHE_PREFIX}*"):  # by one that was killed
            shutil.rmtree(left_behind)
        return cls(prepared, config, config.content_modalities, places.cache)

    def examples(self, split: str) -> tf.data.Dataset:
        """A split's transformed features and rows of embeddings, for a `CtrModel`."""
        return self._cached(f"examples-{split}", lambda: self._read_examples(split))

    def rows(self, split: str) -> tf.data.Dataset:
        """A split's rows of embeddings alone, for a `MakeModel`."""
        batch_size = self._config.make.batch_size
        pattern = f"{self._split(split)}/*"
        return self._cached(f"rows-{split}", lambda: read_rows(pattern, self._index, batch_size))

    def _read_examples(self, split: str) -> tf.data.Dataset:
        transform = self._index.beside(self._transform_output.transform_features_layer())
        spec = self._transform_output.raw_feature_spec()
        pattern = f"{self._split(split)}/*"
        return read_examples(pattern, spec, LABEL, self._config.ctr.batch_size, transform)

    def _cached(self, name: str, read: Callable[[], tf.data.Dataset]) -> tf.data.Dataset:
        if name not in self._datasets:
            self._datasets[name] = read().cache(f"{self._cache.name}/{name}").prefetch(2)
        return self._datasets[name]

    def _split(self, name: str) -> str:
        return f"{self.prepared.examples}/Split-{name}"


def _fingerprint(embeddings: ItemEmbeddings) -> str:
    digest = hashlib.sha256()
    for modality, vectors in embeddings.vectors.items():
        digest.update(modality.encode())
        digest.update(np.ascontiguousarray(embeddings.rows[modality]).data)
        digest.update(np.ascontiguousarray(vectors).data)
    return digest.hexdigest()
