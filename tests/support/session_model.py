"""Runs a SavedModel as TF Serving does: in a session, with the variables that the graph's own restore brings."""

from typing import Any

import numpy as np
import tensorflow as tf


def run_in_session(directory: str, signature: str, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """What a signature gives.

    `tf.saved_model.load` brings variables back by the objects that hold them. A server has no objects, and finds those
    alone that the graph restores by name.

    Args:
        directory: of the SavedModel.
        signature: its name.
        inputs: values by input.
    Returns:
        Arrays by output.
    """
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], directory)
        definition = meta_graph.signature_def[signature]
        outputs = {name: info.name for name, info in definition.outputs.items()}
        return session.run(outputs, {definition.inputs[name].name: value for name, value in inputs.items()})
