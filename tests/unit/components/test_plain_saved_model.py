"""What a SavedModel says of the process that wrote it."""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from components.plain_saved_model import forget_cluster


class _Doubler(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self.double(x)

    @tf.function
    def double(self, x: tf.Tensor) -> tf.Tensor:
        return 2 * x


def test_settings_are_removed_and_the_model_stays(tmp_path: Path) -> None:
    path = tmp_path / "Format-Serving" / "saved_model.pb"
    model = _Doubler()
    tf.saved_model.save(model, str(path.parent), signatures=model.__call__)
    # As a worker's would be.
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    cluster = config_pb2.ConfigProto(device_filters=["/job:worker/task:0"]).SerializeToString()
    graph = saved.meta_graphs[0].graph_def
    calls = [node for node in graph.node if "config_proto" in node.attr]
    calls += [n for function in graph.library.function for n in function.node_def if "config_proto" in n.attr]
    assert len(calls) >= 2
    for node in calls:
        node.attr["config_proto"].s = cluster
        node.device = "/job:worker/replica:0/task:1/device:CPU:0"
    path.write_bytes(saved.SerializeToString())
    assert b"/job:worker" in path.read_bytes()

    forget_cluster(str(tmp_path))
    assert b"/job:worker" not in path.read_bytes()
    assert path.read_bytes().count(b"/device:CPU:0") >= len(calls)
    serve = tf.saved_model.load(str(path.parent)).signatures["serving_default"]
    (doubled,) = serve(tf.constant([1.5, -2.0])).values()
    assert doubled.numpy().tolist() == [3.0, -4.0]


def test_a_folder_that_is_not_there_is_left_alone(tmp_path: Path) -> None:
    forget_cluster(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
