"""An exported encoder, as a function."""

import numpy as np
import tensorflow as tf

# The name of the exported signature's one input, by modality.
INPUTS = {"image": "image_bytes", "text": "text"}


class SavedEncoder:
    """Calls the signature serving_default of an exported encoder.

    Args:
        path: a SavedModel whose signature gives "embedding".
        modality: "image" or "text".
    """

    def __init__(self, path: str, modality: str):
        self.path = path
        self.modality = modality
        # A signature alone does not keep the variables that it uses alive.
        self._model = tf.saved_model.load(path)

    def __call__(self, values: list[bytes] | list[str]) -> np.ndarray:
        """Encodes pictures or texts, at least one. Returns float32 `[inputs, dim]`."""
        signature = self._model.signatures["serving_default"]
        return signature(**{INPUTS[self.modality]: tf.constant(values)})["embedding"].numpy()
