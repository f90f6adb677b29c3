"""Trains a small contrastive model for a few steps with plain `fit` and leaves what it came to.

    python tests/support/scl_run.py OUT.npz [--replicas 2] [--optimizer adamw]

Backend (KERAS_BACKEND) and replicas are a process's own, so whoever compares two of them starts two. All
values come from NumPy, the same whatever the backend.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

STEPS, BATCH_SIZE, QUEUE_SIZE, DIM, IMAGE_SIZE = 5, 6, 20, 8, 16


def main() -> None:
    """Trains and writes losses, the bank and all weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--optimizer", choices=("sgd", "adamw"), default="sgd")
    options = parser.parse_args()

    import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)

    # isort: split
    import keras
    import tensorflow as tf

    from models.training_curve import TrainingCurve

    if options.replicas > 1:
        processor = tf.config.list_physical_devices("CPU")[0]
        devices = [tf.config.LogicalDeviceConfiguration()] * options.replicas
        tf.config.set_logical_device_configuration(processor, devices)
        strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(options.replicas)])
        assert strategy.num_replicas_in_sync == options.replicas
        with strategy.scope():
            model = _model(options.optimizer)
    else:
        model = _model(options.optimizer)
    batches = tf.data.Dataset.from_tensor_slices(_examples()).batch(BATCH_SIZE, drop_remainder=True)
    # Under replicas `fit` itself reports the first one's loss.
    curve = TrainingCurve(every_steps=1)
    model.fit(batches, epochs=STEPS, steps_per_epoch=1, shuffle=False, verbose=0, callbacks=[curve])
    to_numpy = keras.ops.convert_to_numpy
    np.savez(
        options.out,
        backend=keras.backend.backend(),
        losses=np.array([point["loss"] for point in curve.points]),
        item_ids=to_numpy(model.bank.item_ids),
        position=to_numpy(model.bank.position),
        keys=to_numpy(model.bank.keys),
        temperature=model.current_temperature(),
        **{f"weight_{number:03}": weight for number, weight in enumerate(model.get_weights())},
    )


def _model(optimizer: str) -> "SclModel":  # noqa: F821
    import keras
    import keras_hub

    from models.encoder.image_encoder import ImageEncoder
    from models.encoder.scl_model import SclModel

    backbone = keras_hub.models.ViTBackbone(
        image_shape=(IMAGE_SIZE, IMAGE_SIZE, 3),
        patch_size=8,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
    )
    encoder = ImageEncoder(backbone, DIM)
    rng = np.random.default_rng(0)
    encoder.set_weights([rng.normal(0, 0.3, weight.shape) for weight in encoder.weights])
    model = SclModel(encoder, DIM, queue_size=QUEUE_SIZE, momentum=0.8)
    jit_compile = False if keras.backend.backend() == "tensorflow" else "auto"
    optimizers = {
        "sgd": keras.optimizers.SGD(0.01, momentum=0.9),
        "adamw": keras.optimizers.AdamW(0.003, weight_decay=0.01, global_clipnorm=1.0),
    }
    model.compile(optimizer=optimizers[optimizer], jit_compile=jit_compile)
    return model


def _examples() -> dict[str, np.ndarray]:
    """As many as are needed, items from 0 on, so that the bank tells which keys came when."""
    count = STEPS * BATCH_SIZE
    rng = np.random.default_rng(1)
    roles = ("query", "positive", "negative")
    pictures = {role: rng.uniform(0, 255, (count, IMAGE_SIZE, IMAGE_SIZE, 3)) for role in roles}
    return {role: values.astype(np.float32) for role, values in pictures.items()} | {
        "has_negative": (np.arange(count) % 4 > 0).astype(np.float32),
        "item_id": np.arange(count, dtype=np.int32),
    }


if __name__ == "__main__":
    main()
