"""Approximate search with ScaNN."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from models.scann_loader import import_scann_pybind, open_scann_searcher
from serving.retrieval.index_description import IndexDescription
from serving.retrieval.index_files import VECTORS_FILE
from serving.retrieval.scann_parameters import ScannParameters
from transforms.input_error import InputError

# ScaNN's own files, by what they hold. The vectors are not among them: the index has them already.
_ASSETS = {
    "AH_CENTERS": "ah_codebook.pb",
    "PARTITIONER": "serialized_partitioner.pb",
    "TOKENIZATION_NPY": "datapoint_to_token.npy",
    "AH_DATASET_NPY": "hashed_dataset.npy",
}
SCANN_FILES = ("scann_config.pb", *_ASSETS.values())
# Queries that a thread takes at once.
_QUERIES_PER_TASK = 64


class ScannSearcher:
    """A partition of the vectors and their codes, searched by inner product.

    Scores are exact: they come from the vectors themselves. Which items are among the k is approximate. Calls from
    several threads at once are fine.

    Args:
        native: ScaNN's own searcher.
        parameters: how it was built, and how widely it is searched.
    """

    def __init__(self, native: Any, parameters: ScannParameters) -> None:
        self._native = native
        self.parameters = parameters

    @classmethod
    def build(cls, vectors: np.ndarray, parameters: ScannParameters, num_threads: int) -> "ScannSearcher":
        """Partitions and encodes vectors, float32 `[items, dim]`."""
        builder = import_scann_pybind().builder(vectors, 1, "dot_product")
        builder.set_n_training_threads(num_threads)
        builder.tree(
            num_leaves=parameters.num_leaves,
            num_leaves_to_search=parameters.num_leaves,
            training_sample_size=parameters.training_sample_size,
        )
        builder.score_ah(
            dimensions_per_block=parameters.dimensions_per_block,
            anisotropic_quantization_threshold=parameters.anisotropic_threshold,
            training_sample_size=parameters.training_sample_size,
        )
        builder.reorder(reordering_num_neighbors=1)
        native = builder.build()
        native.set_num_threads(num_threads)
        return cls(native, parameters)

    @classmethod
    def load(cls, folder: Path, description: IndexDescription, num_threads: int) -> "ScannSearcher":
        """Opens what `save` wrote, with the vectors' file beside it.

        Raises:
            InputError: the files are not those that were written, or ScaNN cannot read them.
        """
        parameters, digest = description.parameters, _digest(folder)
        # ScaNN does not look whether its files are whole.
        if parameters is None or digest != description.scann_sha256:
            raise InputError(
                f"{folder}: expected ScaNN's files of sha256 {description.scann_sha256}, got {digest}"
            )
        files = _ASSETS | {"DATASET_NPY": str((folder / VECTORS_FILE).resolve())}
        assets = "\n".join(
            f"assets {{ asset_type: {kind} asset_path: {_quote(file)} }}" for kind, file in files.items()
        )
        try:
            native = open_scann_searcher(str(folder), assets)
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{folder}: expected ScaNN's files, got such as it cannot read: {error}"
            ) from error
        native.set_num_threads(num_threads)
        return cls(native, parameters)

    def save(self, folder: Path) -> str:
        """Writes `SCANN_FILES` into a folder that is there, and gives their sha256."""
        with tempfile.TemporaryDirectory(dir=folder) as written:
            self._native.serialize(written, relative_path=True)
            for name in SCANN_FILES:
                (Path(written) / name).replace(folder / name)
        return _digest(folder)

    def widened(self) -> "ScannSearcher":
        """The same, searched more widely."""
        return ScannSearcher(self._native, self.parameters.raised())

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """About the k items of highest inner product.

        Args:
            queries: float32 `[batch, dim]`.
            k: int >= 1, at most the number of items.
        Returns:
            places: int64 `[batch, k]`, by descending score; -1 where the leaves held fewer items.
            scores: float32 `[batch, k]`; -inf there.
        """
        wanted = (k, self.parameters.num_reordered(k), self.parameters.leaves_to_search(k))
        if len(queries) <= _QUERIES_PER_TASK // 4:
            places, scores = self._native.search_batched(queries, *wanted)
        else:
            places, scores = self._native.search_batched_parallel(
                queries, *wanted, batch_size=_QUERIES_PER_TASK
            )
        is_missing = np.isnan(scores)
        return np.where(is_missing, -1, places.astype(np.int64)), np.where(is_missing, -np.inf, scores)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in SCANN_FILES:
        path = folder / name
        try:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise InputError(f"{path}: expected a file of ScaNN's, got {error}") from error
    return digest.hexdigest()


def _quote(text: str) -> str:
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'
