"""A SavedModel that knows nothing of the cluster in which it was made."""

import re
from itertools import chain

from tensorflow.core.protobuf import saved_model_pb2
from tfx.dsl.io import fileio

_FILE = "saved_model.pb"
# What names a process in a device's name, as in /job:worker/replica:0/task:1/device:CPU:0.
_TASK = re.compile(r"/job:[^/]+|/replica:\d+|/task:\d+")


def forget_cluster(folder: str) -> None:
    """Removes from every SavedModel below a folder how the process that wrote it was set up.

    TensorFlow notes the process's settings, a worker's cluster among them, at each call of a function, and the
    worker's name at what has to be on the device of a table. Whoever loads the model has settings and a name of
    its own.

    Args:
        folder: of an artifact; none, or one without a SavedModel, is left as it is.
    """
    if not fileio.exists(folder):
        return
    for place, _, names in fileio.walk(folder):
        if _FILE in names:
            _rewrite(f"{place}/{_FILE}")


def _rewrite(path: str) -> None:
    with fileio.open(path, "rb") as stream:
        saved = saved_model_pb2.SavedModel.FromString(stream.read())
    for meta_graph in saved.meta_graphs:
        graph = meta_graph.graph_def
        functions = (function.node_def for function in graph.library.function)
        for node in chain(graph.node, *functions):
            node.device = _TASK.sub("", node.device)
            if "config_proto" in node.attr:
                node.attr["config_proto"].s = b""
    with fileio.open(path, "wb") as stream:
        stream.write(saved.SerializeToString(deterministic=True))
