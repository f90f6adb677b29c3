"""A trained knowledge extractor as bytes, without pickle."""

import io

import numpy as np

from models.layers.knowledge_extractor import KnowledgeExtractor


def dump_weights(extractor: KnowledgeExtractor) -> bytes:
    """All weights of a knowledge extractor, as NumPy's archive of arrays numbered in their order."""
    stream = io.BytesIO()
    np.savez(stream, **{str(place): weight for place, weight in enumerate(extractor.get_weights())})
    return stream.getvalue()


def load_weights(extractor: KnowledgeExtractor, data: bytes) -> None:
    """Gives an extractor of the same sizes the weights that `dump_weights` took.

    Raises:
        ValueError: if the sizes are not the same.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        extractor.set_weights([arrays[str(place)] for place in range(len(arrays.files))])
