"""One worker of the encoder service."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

import grpc
import numpy as np

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import EmbeddingIndexError
from serving.encoder_service.backoff import backoff_seconds
from serving.encoder_service.batch_encoder import BatchEncoder, Encoder, Refusal
from serving.encoder_service.config import EncoderServiceConfig
from serving.encoder_service.encoded_items import EncodedItems
from serving.encoder_service.errors import EncoderUnavailable
from serving.encoder_service.lease_keeper import LeaseKeeper
from serving.encoder_service.service_metrics import ServiceMetrics
from serving.encoder_service.version_encoder import VersionEncoder
from serving.item_queue.claim import Claim
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.item_queue import ItemQueue
from transforms.canonical_image import canonical_image

_LOG = logging.getLogger(__name__)

# What passes by itself, or once an operator has mended it; no item is to blame.
_OUTAGES = (EncoderUnavailable, EmbeddingIndexError, QueueUnavailable)


class EncoderService:
    """Takes new and changed items from the queue, encodes them, writes the index, and settles them.

    An item is settled only after its vectors are durable in the index, and writing them again changes nothing, so
    a worker that dies at any point loses nothing and doubles nothing. Directly before it writes, a worker renews
    its claims and leaves out the items that it has lost, so that an older content's vector does not replace a
    newer one's; see `ItemQueue`. A worker holds one batch at a time.

    An index that serves no version yet is made to serve the first that is written; later switches are the
    publisher's.

    Args:
        name: of this worker, unique among those of the queue.
        queue: where the items come from.
        index: where their vectors go.
        encoders: of pictures and titles.
        metrics: what is counted, shared by the workers of a process.
        config: batches, leases, waits and bounds.
    """

    def __init__(
        self,
        name: str,
        queue: ItemQueue,
        index: EmbeddingIndex,
        encoders: Sequence[Encoder],
        metrics: ServiceMetrics,
        config: EncoderServiceConfig,
    ) -> None:
        self.name = name
        self.queue, self.index, self.metrics, self.config = queue, index, metrics, config
        self._encoders = {
            encoder.modality: VersionEncoder(BatchEncoder(encoder), index) for encoder in encoders
        }
        self._batch_size = config.batch_size
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; then ends the batch at hand and returns."""
        while not stop.is_set():
            try:
                worked = self.step(stop)
            except QueueUnavailable as error:
                _LOG.warning("%s: %s", self.name, error)
                self._failures += 1
                worked = 0
            if self._failures:
                stop.wait(self._backoff(self._failures))
            elif not worked:
                stop.wait(self.config.poll_seconds)

    def step(self, stop: threading.Event | None = None) -> int:
        """Claims one batch and works it off. Returns how many items it claimed.

        Raises:
            QueueUnavailable: nothing could be claimed.
        """
        claims = self.queue.claim(self.name, self._batch_size, self.config.lease_seconds)
        if not claims:
            self._failures = 0
            return 0
        if stop is not None and stop.is_set():
            self._give_back(claims, "the worker stops", wait=False)
            return len(claims)
        with LeaseKeeper(self.queue, claims, self.config.lease_seconds):
            self._attempt(claims)
        return len(claims)

    def _attempt(self, claims: Sequence[Claim]) -> None:
        try:
            self._work_off(claims)
        except _OUTAGES as error:
            self._note_outage(error)
            self._give_back(claims, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on with the others
            # A defect, or an item that something chokes on: the others of its batch are not to wait for it.
            _LOG.exception("%s: %d items failed", self.name, len(claims))
            if len(claims) > 1:
                for claim in claims:
                    self._attempt([claim])
            else:
                self._give_back(claims, f"{type(error).__name__}: {error}")
        else:
            self._failures = 0
            self._batch_size = min(self.config.batch_size, 2 * self._batch_size)

    def _work_off(self, claims: Sequence[Claim]) -> None:
        pictures, refusals = self._check_pictures(claims)
        sound = [claim for claim in claims if claim.item.item_id not in refusals]
        encoded = {
            modality: encoder.encode(
                {claim.item.item_id: _content(claim, modality, pictures) for claim in sound}
            )
            for modality, encoder in self._encoders.items()
        }
        for each in encoded.values():
            refusals |= each.refusals
        self._store([claim for claim in claims if claim.item.item_id not in refusals], encoded)
        self._turn_down(claims, refusals)

    def _check_pictures(self, claims: Sequence[Claim]) -> tuple[dict[str, bytes], dict[str, Refusal]]:
        """The pictures in the form that the logs' have, and why others cannot be; by item_id."""
        pictures, refusals = {}, {}
        for claim in claims:
            data = claim.item.content("image")
            if data is not None:
                limits = self.config.max_image_bytes, self.config.max_image_pixels
                picture, problem = canonical_image(data, *limits)
                if problem is None:
                    pictures[claim.item.item_id] = picture
                else:
                    refusals[claim.item.item_id] = Refusal(problem, is_final=True)
        return pictures, refusals

    def _turn_down(self, claims: Sequence[Claim], refusals: Mapping[str, Refusal]) -> None:
        for claim in claims:
            refusal = refusals.get(claim.item.item_id)
            if refusal is None:
                continue
            if refusal.is_final or claim.attempts >= self.config.max_attempts:
                held = self.queue.bury(claim, refusal.reason)
                self.metrics.count("buried" if held else "lost")
                _LOG.warning("item %r cannot be encoded: %s", claim.item.item_id, refusal.reason)
            else:
                self._give_back([claim], refusal.reason)

    def _store(self, claims: Sequence[Claim], encoded: Mapping[str, EncodedItems]) -> None:
        held = self.queue.renew(claims)
        item_ids = {claim.item.item_id for claim in held}
        usable = set(item_ids)
        for modality, items in encoded.items():
            written = items.of(item_ids)
            for version, vectors in written.items():
                self.index.put(version, modality, vectors, announce=True)
            usable &= self._served_of(modality, written)
        now = time.time()
        settled = self.queue.acknowledge(held)
        introduced = [claim.item.introduced_at for claim in settled if claim.item.item_id in usable]
        self.metrics.usable([max(0.0, now - each) for each in introduced])
        self.metrics.count("not_served", len(settled) - len(introduced))
        self.metrics.count("lost", len(claims) - len(settled))

    def _served_of(self, modality: str, written: Mapping[str, Mapping[str, np.ndarray | None]]) -> set[str]:
        """The items, of those written, that readers of the index find."""
        served = self.index.served_version(modality)
        if served is None and written:
            served = list(written)[-1]
            self.index.serve(modality, served)
            _LOG.info("the index serves %s version %s, its first", modality, served)
        return set(written.get(served, ())) if served is not None else set()

    def _give_back(self, claims: Sequence[Claim], reason: str, wait: bool = True) -> None:
        for claim in claims:
            delay = self._backoff(claim.attempts) if wait else 0.0
            try:
                held = self.queue.retry(claim, delay, reason)
            except QueueUnavailable as error:
                # The lease runs out, and the item is claimed again.
                _LOG.warning("%s: a claim could not be given back: %s", self.name, error)
                return
            if held:
                self.metrics.count("retried")

    def _note_outage(self, error: Exception) -> None:
        self._failures += 1
        _LOG.warning("%s: %s", self.name, error)
        if isinstance(error, EncoderUnavailable) and error.code == grpc.StatusCode.DEADLINE_EXCEEDED:
            # Perhaps the batch takes longer than a call may; a smaller one gets through.
            self._batch_size = max(1, self._batch_size // 2)

    def _backoff(self, attempt: int) -> float:
        return backoff_seconds(attempt, self.config.min_backoff_seconds, self.config.max_backoff_seconds)


def _content(claim: Claim, modality: str, pictures: Mapping[str, bytes]) -> bytes | None:
    return pictures.get(claim.item.item_id) if modality == "image" else claim.item.content(modality)
