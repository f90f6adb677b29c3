"""What the chief alone can know, on every worker."""

import json
from typing import Any

import numpy as np
import tensorflow as tf

from models.distribution.strategy import is_chief


def hear_chief(value: Any, strategy: tf.distribute.Strategy) -> Any:
    """The chief's value, on every worker; a worker that comes earlier waits for the chief.

    So that workers decide alike: what each finds for itself may differ in a last digit, or in the age of a
    file that it reads, and workers that part ways wait for each other for ever.

    Args:
        value: plain values, as JSON has them; that of another worker than the chief is not looked at.
        strategy: in which all workers call this at the same point of their training.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return value
    content = np.frombuffer(json.dumps(value).encode() if is_chief(strategy) else b"", np.uint8)
    size = int(_sum_over_workers(np.array([len(content)]), strategy)[0])
    content = content if is_chief(strategy) else np.zeros(size, np.uint8)
    return json.loads(_sum_over_workers(content, strategy).astype(np.uint8).tobytes())


def _sum_over_workers(values: np.ndarray, strategy: tf.distribute.Strategy) -> np.ndarray:
    """The sum of what the first replica of all has on its worker, and of zeros elsewhere."""

    def share(replica: tf.distribute.experimental.ValueContext) -> tf.Tensor:
        is_first = replica.replica_id_in_sync_group == 0
        return tf.constant(values if is_first else np.zeros_like(values), tf.int32)

    shares = strategy.experimental_distribute_values_from_function(share)
    return strategy.reduce(tf.distribute.ReduceOp.SUM, shares, axis=None).numpy()
