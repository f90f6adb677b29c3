"""The service with real parts around it: a queue, an index, and encoders over gRPC."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.embedding_index.lmdb_embedding_index import LmdbEmbeddingIndex
from serving.encoder_service.config import EncoderServiceConfig
from serving.encoder_service.encoder_service import EncoderService
from serving.encoder_service.remote_encoder import RemoteEncoder, open_channel
from serving.encoder_service.service_metrics import ServiceMetrics
from serving.item_queue.sqlite_item_queue import SqliteItemQueue
from tests.support.fake_encoders import FakeEncoders

MakeService = Callable[..., EncoderService]


@pytest.fixture
def encoders() -> Iterator[FakeEncoders]:
    with FakeEncoders() as server:
        yield server


@pytest.fixture
def queue(tmp_path: Path) -> SqliteItemQueue:
    return SqliteItemQueue(tmp_path / "queue.db")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbEmbeddingIndex]:
    index = LmdbEmbeddingIndex(tmp_path / "index")
    yield index
    index.close()


@pytest.fixture
def make_service(encoders, queue, index) -> Iterator[MakeService]:
    """Makes workers; arguments are the configuration's, which has short waits here."""
    names = itertools.count()
    with open_channel(encoders.address) as channel:

        def make(index=index, queue=queue, **settings) -> EncoderService:
            waits = {"min_backoff_seconds": 0.01, "max_backoff_seconds": 0.02, "encoder_timeout_seconds": 2.0}
            config = EncoderServiceConfig(**(waits | settings))
            remote = [
                RemoteEncoder(channel, modality, f"{modality}_encoder", config.encoder_timeout_seconds)
                for modality in ("image", "text")
            ]
            metrics = ServiceMetrics(queue, index)
            return EncoderService(f"worker {next(names)}", queue, index, remote, metrics, config)

        yield make


@pytest.fixture
def service(make_service: MakeService) -> EncoderService:
    return make_service()
