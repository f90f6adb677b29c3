"""The workers of one process."""

import os
import socket
import threading
import uuid
from collections.abc import Sequence

import grpc

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.encoder_service.config import EncoderServiceConfig
from serving.encoder_service.encoder_service import EncoderService
from serving.encoder_service.remote_encoder import RemoteEncoder
from serving.encoder_service.service_metrics import ServiceMetrics
from serving.item_queue.item_queue import ItemQueue


class Workers:
    """Several `EncoderService`s in threads, which share connections and metrics.

    Args:
        queue: where the items come from.
        index: where their vectors go.
        channel: to the model server.
        config: how many workers, and how they work.
    """

    def __init__(
        self, queue: ItemQueue, index: EmbeddingIndex, channel: grpc.Channel, config: EncoderServiceConfig
    ) -> None:
        self.metrics = ServiceMetrics(queue, index)
        models = {"image": config.image_model, "text": config.text_model}
        encoders = [
            RemoteEncoder(channel, modality, model, config.encoder_timeout_seconds)
            for modality, model in models.items()
        ]
        self.services = [
            EncoderService(name, queue, index, encoders, self.metrics, config)
            for name in _names(config.workers)
        ]
        self._threads: list[threading.Thread] = []

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set and every worker has ended its batch."""
        self._threads = [
            threading.Thread(target=service.run, args=(stop,), name=service.name) for service in self.services
        ]
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    def are_alive(self) -> bool:
        """Whether every worker runs."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)


def _names(count: int) -> Sequence[str]:
    """Names that no other worker of the queue has, nor had."""
    process = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return [f"{process}-{number}" for number in range(count)]
