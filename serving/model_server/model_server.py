"""The model server."""

import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import uvicorn
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.model_server.batcher import Batcher, BatchScheduler
from serving.model_server.batching_parameters import BatchingParameters
from serving.model_server.grpc_services import ModelService, PredictionService
from serving.model_server.metrics import Metrics
from serving.model_server.model_manager import ModelManager
from serving.model_server.model_version import Servable
from serving.model_server.rest_app import RestApp
from serving.model_server.saved_model import SavedModel
from serving.model_server.server_options import ServerOptions
from serving.model_server.serving_error import invalid
from serving.model_server.warm_up import warm_up
from transforms.input_error import InputError

logger = logging.getLogger(__name__)

PER_MODEL_BATCHING_FILE = "batching_params.pbtxt"
MAX_MESSAGE_BYTES = 2**31 - 1
GRACE_SECONDS = 10.0


class ModelServer:
    """SavedModels over TF Serving's gRPC and REST.

    TensorFlow Text has to be importable for models that use its operations; nothing else of this project is needed to
    load a model.

    Args:
        options: what to serve, where and how.
    Attributes:
        grpc_port: where it listens, once it is started.
        rest_port: where it listens, once it is started; None without REST.
    """

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.grpc_port = options.grpc_port
        self.rest_port = options.rest_port
        self.metrics = Metrics()
        self.manager = ModelManager(
            self._load,
            options.poll_seconds,
            options.max_load_retries,
            options.retry_seconds,
            options.allow_labels_for_unavailable,
        )
        self._scheduler = BatchScheduler(options.batching.num_batch_threads) if options.batching else None
        self._grpc: grpc.Server | None = None
        self._rest: uvicorn.Server | None = None
        self._rest_executor = ThreadPoolExecutor(options.rest_threads, "rest")
        self._rest_thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Loads the models, and then listens.

        Raises:
            ServingError: if a model cannot be loaded.
            InputError: if a port is taken.
        """
        import tensorflow_text  # noqa: F401  (registers the operations of text encoders)

        self.manager.start(self.options.models)
        self._start_grpc()
        if self.options.rest_port is not None:
            self._start_rest()

    def wait(self, seconds: float | None = None) -> bool:
        """Returns when the server is stopped, or after a time; whether it is stopped."""
        return self._stopped.wait(seconds)

    def stop(self) -> None:
        """Takes no more requests, finishes those that are running, and unloads the models."""
        if self._grpc is not None:
            self._grpc.stop(GRACE_SECONDS).wait()
        if self._rest is not None and self._rest_thread is not None:
            self._rest.should_exit = True
            self._rest_thread.join()
        self._rest_executor.shutdown()
        self.manager.stop()
        if self._scheduler is not None:
            self._scheduler.stop()
        self._stopped.set()

    def _load(self, name: str, path: Path) -> Servable:
        servable: Servable = SavedModel(path, self.options.tags, self.options.session_threads)
        try:
            servable = self._batched(servable, path)
            count = warm_up(servable, path) if self.options.enable_warm_up else 0
        except Exception:
            servable.close()
            raise
        logger.info("model %s loaded from %s, %d warm-up requests answered", name, path, count)
        return servable

    def _batched(self, servable: Servable, path: Path) -> Servable:
        parameters = self.options.batching
        if parameters is None or self._scheduler is None:
            return servable
        if self.options.per_model_batching:
            file = path / PER_MODEL_BATCHING_FILE
            if not file.is_file():
                return servable
            try:
                parameters = BatchingParameters.read(file)
            except InputError as error:
                raise invalid(str(error)) from error
        return Batcher(servable, self._scheduler, parameters)

    def _start_grpc(self) -> None:
        limits = [(f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("receive", "send")]
        executor = ThreadPoolExecutor(self.options.grpc_threads, "grpc")
        server = grpc.server(executor, options=[*limits, ("grpc.so_reuseport", 0)])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.manager, self.metrics), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self.manager), server)
        address = f"{self.options.host}:{self.options.grpc_port}"
        try:
            self.grpc_port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise InputError(f"--port: cannot listen on {address}") from error
        server.start()
        self._grpc = server
        logger.info("gRPC at %s:%d", self.options.host, self.grpc_port)

    def _start_rest(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self.options.host, self.options.rest_port))
        except OSError as error:
            raise InputError(
                f"--rest_api_port: cannot listen on {self.options.rest_port}: {error}"
            ) from error
        self.rest_port = listening.getsockname()[1]
        options = self.options
        app = RestApp(
            self.manager,
            self.metrics,
            self._rest_executor,
            options.metrics_path,
            options.rest_timeout_seconds,
            options.allows_cors,
        )
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False)
        self._rest = uvicorn.Server(config)
        self._rest_thread = threading.Thread(
            target=self._rest.run, kwargs={"sockets": [listening]}, name="rest", daemon=True
        )
        self._rest_thread.start()
        while not self._rest.started:
            if not self._rest_thread.is_alive():
                raise RuntimeError("the REST server ended at its start")
            time.sleep(0.01)
        logger.info("REST at %s:%d", self.options.host, self.rest_port)
