"""What has to be said before the libraries are imported; the packages above import this first."""

import os
import sys

# TensorFlow Transform and TensorFlow Recommenders need `tf.keras` to be Keras 2; the models are written
# with `import keras`, which is Keras 3 whatever this says.
os.environ["TF_USE_LEGACY_KERAS"] = "1"

# ScaNN's TensorFlow ops are built for an older TensorFlow and fail to load. Its searcher does not need
# them; with this it goes without, and so does TensorFlow Recommenders.
sys.modules.setdefault("scann.scann_ops.py.scann_ops", None)  # type: ignore[arg-type]
