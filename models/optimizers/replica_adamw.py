"""AdamW for several replicas."""

from collections.abc import Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices | None


@keras.saving.register_keras_serializable(package="adlens")
class ReplicaAdamW(keras.optimizers.AdamW):
    """AdamW whose step on several replicas is that of one on the whole batch.

    Keras clips each replica's gradients before it adds them up, and the norm of a part is not that of the
    whole. And of an embedding's gradient, which comes as rows that may name an entry several times, it adds up
    the rows' squares instead of squaring their sum, so that its steps depend on how a batch is parted. Here
    gradients are added up first, rows by entry too: the optimizer as it is published, and as it is on JAX.
    """

    def apply(
        self, grads: Sequence[Gradient], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        if keras.backend.backend() == "tensorflow":
            grads = _sum_over_replicas(grads)
        super().apply(grads, trainable_variables)

    def _all_reduce_sum_gradients(self, grads_and_vars: list) -> list:
        return list(grads_and_vars)  # they are summed before they are clipped


def _sum_over_replicas(grads: Sequence[Gradient]) -> list[tf.Tensor | None]:
    """Dense gradients of the whole batch; None stays None, for what no loss depends on."""
    dense = {number: tf.convert_to_tensor(grad) for number, grad in enumerate(grads) if grad is not None}
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, list(dense.values()))
        dense = dict(zip(dense, total, strict=True))
    return [dense.get(number) for number in range(len(grads))]
