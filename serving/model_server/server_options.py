"""What a model server is started with."""

import os
from dataclasses import dataclass, field

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.model_server.batching_parameters import BatchingParameters


def default_grpc_threads() -> int:
    """Most threads wait: for TensorFlow, or for a batch."""
    return 16 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class ServerOptions:
    """TF Serving's flags, read.

    Attributes:
        models: which models to serve.
        host: the address to listen on.
        grpc_port: of gRPC; 0: any that is free.
        rest_port: of REST; 0: any that is free; None: no REST.
        grpc_threads: requests over gRPC that run at once.
        rest_threads: requests over REST that run at once.
        rest_timeout_seconds: after which a REST request is given up.
        allows_cors: whether pages of other origins may call REST.
        metrics_path: where Prometheus reads, on REST's port; empty: nowhere.
        batching: how requests are put together; None: not at all.
        per_model_batching: only models with a `batching_params.pbtxt` in a version's folder are batched, by that.
        poll_seconds: between two looks at the models' folders.
        max_load_retries: after a load that failed.
        retry_seconds: between two of them.
        allow_labels_for_unavailable: a new label may name a version that is not loaded.
        enable_warm_up: whether recorded requests are run before a version is available.
        tags: of the graph in a SavedModel.
        session_threads: of TensorFlow, for each version; 0: as many as there are cores.
    """

    models: ModelServerConfig
    host: str = "0.0.0.0"
    grpc_port: int = 8500
    rest_port: int | None = None
    grpc_threads: int = field(default_factory=default_grpc_threads)
    rest_threads: int = field(default_factory=lambda: 4 * (os.cpu_count() or 1))
    rest_timeout_seconds: float = 30.0
    allows_cors: bool = False
    metrics_path: str = ""
    batching: BatchingParameters | None = None
    per_model_batching: bool = False
    poll_seconds: float = 1.0
    max_load_retries: int = 5
    retry_seconds: float = 60.0
    allow_labels_for_unavailable: bool = False
    enable_warm_up: bool = True
    tags: frozenset[str] = frozenset({"serve"})
    session_threads: int = 0
