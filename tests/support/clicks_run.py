"""Trains small models of all kinds that learn from clicks and leaves what they came to.

    python tests/support/clicks_run.py OUT.npz --strategy none mirrored [--devices 2]
    TF_CONFIG=… python tests/support/clicks_run.py OUT.npz --strategy multi_worker

The number of devices and the cluster are a process's own, so whoever compares them starts several. A key of the file
is <strategy>/<model>/losses, …/weight_<number> and …/slot_<number>. The last batch has one example. And
<strategy>/adagrad/<step> has each local replica's copy of a small table.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

BATCH_SIZE, EXAMPLES, EPOCHS, LENGTH = 13, 5 * 13 + 1, 2, 6
TABLE_SIZES = {"user_id": 30, "item_id": 40, "category_id": 6, "shop_id": 9}
# Few rows, so that many items have no embedding.
SHAPES = {"image": (6, 5), "text": (5, 4)}
RATES = {"learning_rate": 0.01, "table_learning_rate": 0.1, "batch_size": BATCH_SIZE, "epochs": EPOCHS}


def main() -> None:
    """Trains and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--strategy", nargs="+", required=True)
    parser.add_argument("--devices", type=int, default=1)
    options = parser.parse_args()

    import models  # noqa: F401  (chooses the Keras of the process before TensorFlow is imported)

    # isort: split
    import tensorflow as tf

    from models.distribution.strategy import open_strategy

    processor = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * options.devices
    tf.config.set_logical_device_configuration(processor, devices)
    found: dict[str, np.ndarray] = {}
    for strategy in options.strategy:
        found |= _adagrad(open_strategy(strategy), strategy)
        found[f"{strategy}/replicas"] = np.array(open_strategy(strategy).num_replicas_in_sync)
        for name in ("content_ctr", "make", "recall"):
            model, history = train_model(name, strategy)
            found[f"{strategy}/{name}/losses"] = np.array([point["loss"] for point in history["curve"]])
            found[f"{strategy}/{name}/examples"] = np.array(history["examples"])
            for number, weight in enumerate(model.get_weights()):
                found[f"{strategy}/{name}/weight_{number:02}"] = weight
            for number, slot in enumerate(model.optimizer.variables):
                found[f"{strategy}/{name}/slot_{number:02}"] = slot.numpy()
    np.savez(options.out, **found)


def _adagrad(strategy: "tf.distribute.Strategy", name: str) -> dict[str, np.ndarray]:  # noqa: F821
    """Two steps on a table of ones, each replica with slices of its own; with one replica all are its."""
    import tensorflow as tf

    from models.layers.id_embedding import IdEmbedding
    from models.optimizers.rowwise_adagrad import RowwiseAdagrad

    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        layer = IdEmbedding(5, 1, embeddings_initializer="ones")
        layer.build()
        optimizer = RowwiseAdagrad(
            table_learning_rate=1.0, initial_accumulator_value=16.0, global_clipnorm=5.0
        )
        optimizer.build([layer.table])

    def step(rows: tf.Tensor, values: tf.Tensor) -> None:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        first, last = (tf.size(rows) * edge // replicas for edge in (number, number + 1))
        slices = tf.IndexedSlices(values[first:last, None], rows[first:last], dense_shape=tf.constant((5, 1)))
        optimizer.apply([slices], [layer.table])

    found = {}
    for number, (rows, values) in enumerate((([0, 1, 0, 3], [2.0, 8.0, 4.0, 0.0]), ([1], [3.0]))):
        inputs = (tf.constant(rows, tf.int64), tf.constant(values))
        strategy.run(tf.function(step), args=inputs)
        copies = strategy.experimental_local_results(layer.table.value)
        found[f"{name}/adagrad/{number}"] = np.array([copy.numpy()[:, 0] for copy in copies])
    return found


def train_model(name: str, strategy: str, **training: object) -> tuple:
    """Trains the model of that name; itself and the history.

    Args:
        name: ctr, content_ctr, make or recall.
        strategy: as configurations name them.
        training: `callbacks` and `checkpoints`, as the trainers take them.
    """
    if name == "make":
        return _make(strategy, training)
    if name == "recall":
        return _recall(strategy, training)
    settings = {
        "ctr": {"integration": "id"},
        "content_ctr": {
            "integration": "simtier_make",
            "train_make": True,
            "log_counts": True,
            "global_clipnorm": 0.05,
        },
    }
    return _ctr(settings[name], strategy, training)


def _ctr(settings: dict, strategy: str, training: dict) -> tuple:
    from models.ctr.config import CtrConfig
    from models.ctr.model import CtrModel
    from models.ctr.trainer import train
    from models.make.config import MakeConfig

    config = CtrConfig(
        embedding_dim=4, attention_units=(6,), mlp_units=(8, 7), strategy=strategy, **settings, **RATES
    )
    make = MakeConfig(attention_units=(4,), mlp_units=(5, 3), projection_dim=3)
    model = _randomize(CtrModel(_features(), TABLE_SIZES, config, SHAPES, make))
    return model, train(model, _impressions(), config, **training)


def _make(strategy: str, training: dict) -> tuple:
    from models.make.config import MakeConfig
    from models.make.model import MakeModel
    from models.make.trainer import train_make

    config = MakeConfig((4,), (5, 3), 3, EPOCHS, BATCH_SIZE, 0.01, strategy=strategy)
    model = _randomize(MakeModel(SHAPES, config))
    return model, train_make(model, _impressions(), config, _impressions(), **training)


def _recall(strategy: str, training: dict) -> tuple:
    from models.recall.config import RecallConfig
    from models.recall.model import RecallModel
    from models.recall.trainer import train

    config = RecallConfig(
        embedding_dim=4,
        content_dim=3,
        user_units=(6,),
        item_units=(5,),
        reorder_units=(4,),
        reorder_examples=9,
        num_tiers=5,
        num_buckets=6,
        queue_size=11,
        global_clipnorm=0.5,
        strategy=strategy,
        **RATES,
    )
    model = _randomize(RecallModel(_features(), TABLE_SIZES, config, SHAPES))
    return model, train(model, _impressions().map(lambda features, _: features), config, **training)


def _features() -> tuple:
    from transforms.feature import ID_FEATURES, Feature

    return (*ID_FEATURES, Feature("hour", kind="numeric"), Feature("price", kind="numeric", side="item"))


def _randomize(model: "keras.Model") -> "keras.Model":  # noqa: F821
    """Draws all weights with NumPy; row 0 of embeddings is zeros."""
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=weight.shape) * 0.2 for weight in model.get_weights()])
    for table in model.embeddings.tables.values():
        rows = table.table.numpy().copy()
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows[0] = 0
        table.table.assign(rows)
    return model


def _impressions() -> "tf.data.Dataset":  # noqa: F821
    """Transformed features and labels; the popular ids stand often in one batch."""
    import tensorflow as tf

    rng = np.random.default_rng(0)

    def draw(rows: int, *shape: int) -> np.ndarray:
        return (rows * rng.random(shape) ** 2).astype(np.int64)

    inputs = {f"{name}_xf": draw(rows, EXAMPLES) for name, rows in TABLE_SIZES.items()}
    is_real = np.arange(LENGTH) < rng.integers(0, LENGTH + 1, EXAMPLES)[:, None]
    for name in ("item_id", "category_id", "shop_id"):
        inputs[f"behavior_{name}_xf"] = np.where(
            is_real, 1 + draw(TABLE_SIZES[name] - 1, EXAMPLES, LENGTH), 0
        )
    for modality, (rows, _) in SHAPES.items():
        inputs[f"{modality}_row"] = draw(rows, EXAMPLES).astype(np.int32)
        inputs[f"behavior_{modality}_row"] = np.where(is_real, draw(rows, EXAMPLES, LENGTH), 0).astype(
            np.int32
        )
    inputs |= {name: rng.normal(size=EXAMPLES).astype(np.float32) for name in ("hour_xf", "price_xf")}
    inputs["item_clicks"] = rng.integers(1, 40, EXAMPLES)
    labels = (rng.random(EXAMPLES) < 0.4).astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(BATCH_SIZE)
    # As a file's: nobody knows its length before its end.
    return batches.filter(lambda features, label: True)


if __name__ == "__main__":
    main()
