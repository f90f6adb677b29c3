"""A loaded SavedModel."""

import itertools
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import google.protobuf.message
import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2

from serving.model_server.serving_error import ServingError

logger = logging.getLogger(__name__)

INIT_OP = "__saved_model_init_op"
# Where models of TensorFlow 1 name what runs after their variables are restored.
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# Names that a client may ask for are the signature's own, so there are few combinations; more are a mistake.
_MAX_CALLS = 256

Arrays = dict[str, np.ndarray]


class SavedModel:
    """A SavedModel in a session of its own, as TF Serving holds it.

    The session feeds and fetches a signature's tensors by name, so a run costs no Python per variable, outputs that
    nobody asked for are not computed, and closing it frees variables and tables of this version alone.

    Args:
        path: the version's folder.
        tags: the tags of the graph to load.
        num_threads: int >= 0. Threads of the session; 0: as many as there are cores.
    Attributes:
        signatures: what can be called, by name; the initialization is among them, as in TF Serving.
    Raises:
        ServingError: if the folder holds no whole SavedModel, or needs operations that are not there.
    """

    def __init__(self, path: Path, tags: frozenset[str] = frozenset({"serve"}), num_threads: int = 0) -> None:
        meta_graph = _read_meta_graph(path, tags)
        _check_whole(path, meta_graph)
        self.path = path
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = dict(meta_graph.signature_def)
        graph = tf.Graph()
        config = config_pb2.ConfigProto(
            intra_op_parallelism_threads=num_threads,
            inter_op_parallelism_threads=num_threads,
            # Otherwise the process's first session would have the say.
            use_per_session_threads=num_threads > 0,
        )
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        self._calls: dict[tuple[tuple[str, ...], tuple[str, ...]], Any] = {}
        self._making = threading.Lock()
        try:
            with graph.as_default():
                tf.import_graph_def(meta_graph.graph_def, name="")
            self._initialize(meta_graph)
        except (tf.errors.OpError, ValueError, KeyError) as error:
            self.close()
            raise _load_error(path, error) from error

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Runs the graph; may be called from several threads at once.

        Args:
            feeds: arrays by name of tensor, of the tensors' types; strings are arrays of bytes objects.
            fetches: names of tensors.
        Returns:
            An array for each of `fetches`.
        Raises:
            ServingError: with the code and the text that TensorFlow gives.
        """
        key = (tuple(feeds), tuple(fetches))
        try:
            call = self._calls.get(key) or self._make_call(*key)
            results = call(*feeds.values())
        except tf.errors.OpError as error:
            raise ServingError.from_tensorflow(error) from error
        # Of a scalar string the session gives bare bytes.
        return [np.array(one, object) if isinstance(one, bytes) else np.asarray(one) for one in results]

    def close(self) -> None:
        """Frees the model; no run may be under way."""
        self._calls.clear()
        self._session.close()

    def _make_call(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Any:
        # Making one optimizes the graph, which takes seconds: the first requests of many clients share one.
        with self._making:
            call = self._calls.get((feeds, fetches))
            if call is None:
                options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
                call = self._session._make_callable_from_options(options)
                if len(self._calls) < _MAX_CALLS:
                    self._calls[feeds, fetches] = call
            return call

    def _initialize(self, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
        """Restores the variables and runs what fills the tables, in the order of TensorFlow's own loader."""
        assets = {
            asset.tensor_info.name: str(self.path / "assets" / asset.filename)
            for asset in _asset_files(meta_graph)
        }
        saver = meta_graph.saver_def
        if saver.restore_op_name:
            variables = str(self.path / "variables" / "variables")
            self._session.run(saver.restore_op_name, {saver.filename_tensor_name: variables, **assets})
        init_op = _init_op(meta_graph)
        if init_op is not None:
            self._session.run(init_op, assets)


def _read_meta_graph(path: Path, tags: frozenset[str]) -> meta_graph_pb2.MetaGraphDef:
    file = path / "saved_model.pb"
    if not file.is_file():
        raise ServingError(grpc.StatusCode.NOT_FOUND, f"{path} holds no saved_model.pb")
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(file.read_bytes())
    except google.protobuf.message.DecodeError as error:
        raise ServingError(grpc.StatusCode.DATA_LOSS, f"{file} is cut or corrupt") from error
    for meta_graph in saved_model.meta_graphs:
        if tags == set(meta_graph.meta_info_def.tags):
            return meta_graph
    found = [sorted(meta_graph.meta_info_def.tags) for meta_graph in saved_model.meta_graphs]
    raise ServingError(grpc.StatusCode.NOT_FOUND, f"{file} has no graph with tags {sorted(tags)}: {found}")


def _check_whole(path: Path, meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """A folder that is still being written lacks files; TensorFlow would fill variables on first use, and fail."""
    wanted = [path / "assets" / asset.filename for asset in _asset_files(meta_graph)]
    if meta_graph.saver_def.restore_op_name:
        wanted.append(path / "variables" / "variables.index")
    missing = [str(file.relative_to(path)) for file in wanted if not file.is_file()]
    if missing:
        raise ServingError(grpc.StatusCode.NOT_FOUND, f"{path} is not whole: {', '.join(missing)} missing")


def _asset_files(meta_graph: meta_graph_pb2.MetaGraphDef) -> list[meta_graph_pb2.AssetFileDef]:
    if meta_graph.asset_file_def:
        return list(meta_graph.asset_file_def)
    assets = []
    for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        assets.append(asset)
    return assets


def _init_op(meta_graph: meta_graph_pb2.MetaGraphDef) -> str | None:
    if INIT_OP in meta_graph.signature_def:
        return meta_graph.signature_def[INIT_OP].outputs[INIT_OP].name
    collections = (meta_graph.collection_def[name].node_list.value for name in _INIT_COLLECTIONS)
    return next(itertools.chain.from_iterable(collections), None)


def _load_error(path: Path, error: Exception) -> ServingError:
    if "Op type not registered" in str(error):
        message = f"{path} needs an operation of a library that is not imported: {error}"
        return ServingError(grpc.StatusCode.NOT_FOUND, message)
    if isinstance(error, tf.errors.OpError):
        return ServingError.from_tensorflow(error)
    return ServingError(
        grpc.StatusCode.INVALID_ARGUMENT, f"{path} holds no graph that can be loaded: {error}"
    )
