"""Encodes items for every encoder version that readers of the index have or will have."""

import logging
from collections.abc import Mapping

import grpc

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.encoder_service.batch_encoder import BatchEncoder, Refusal
from serving.encoder_service.encoded_items import EncodedItems
from serving.encoder_service.errors import EncoderUnavailable

_LOG = logging.getLogger(__name__)


class VersionEncoder:
    """Encodes one modality of items with the latest encoder, and with the one whose vectors are served.

    While the catalog is encoded anew, the index still serves the older version's vectors; with both, a new item
    is usable at once and stays so when the index switches.

    Args:
        encoder: of the modality.
        index: says which version is served.
    """

    def __init__(self, encoder: BatchEncoder, index: EmbeddingIndex) -> None:
        self.encoder = encoder
        self.index = index
        self.modality = encoder.modality
        self._told_of: str | None = None

    def encode(self, contents: Mapping[str, bytes | None]) -> EncodedItems:
        """Encodes items' pictures or titles.

        Args:
            contents: by item_id; None where an item has none.
        Raises:
            EncoderUnavailable: the encoder does not answer.
        """
        given = {item_id: content for item_id, content in contents.items() if content is not None}
        answers = dict(zip(given, self.encoder.encode(list(given.values())), strict=True))
        refusals = {item_id: answer for item_id, answer in answers.items() if isinstance(answer, Refusal)}
        result = EncodedItems(refusals=refusals)
        result.add(answers)
        if not result.vectors:
            # Items without content are known to the latest version too, and lose there what they had.
            result.vectors[self.encoder.probe()] = {}
        served = self.index.served_version(self.modality)
        if served is not None:
            self._add_served(result, given, served)
        for vectors in result.vectors.values():
            vectors.update((item_id, None) for item_id, content in contents.items() if content is None)
        return result

    def _add_served(self, result: EncodedItems, given: Mapping[str, bytes], served: str) -> None:
        vectors = result.vectors.setdefault(served, {})
        wanted = [item_id for item_id in given if item_id not in vectors and item_id not in result.refusals]
        try:
            # The index may serve a version that was loaded from elsewhere, under a name of its own.
            if wanted and not served.isdecimal():
                raise EncoderUnavailable(grpc.StatusCode.NOT_FOUND, f"no version is called {served}")
            answers = self.encoder.encode([given[item_id] for item_id in wanted], served)
        except EncoderUnavailable as error:
            if error.code != grpc.StatusCode.NOT_FOUND:
                raise
            self._tell(served, error)
            return
        # What the older encoder alone refuses has no vector there; that of its older content would be wrong.
        vectors.update(dict.fromkeys(wanted))
        result.add(dict(zip(wanted, answers, strict=True)))

    def _tell(self, served: str, error: EncoderUnavailable) -> None:
        """Once for each version: it stays so until the index switches."""
        if served != self._told_of:
            _LOG.warning(
                "the index serves %s version %s, which the model server does not have; new items are usable"
                " once it serves the latest (%s)",
                self.modality,
                served,
                error,
            )
            self._told_of = served
