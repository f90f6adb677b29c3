"""How a batch is shared out."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from models.input_pipeline import BATCHES_AT_ONCE, without_autotune


def share_out(
    batches: tf.data.Dataset, strategy: tf.distribute.Strategy, prepare: Callable[..., Any] | None = None
) -> tf.distribute.DistributedDataset:
    """Gives each replica its part of each batch, in the order of the replicas.

    A batch is the same set of examples as without a strategy, whatever the number of replicas: of n rows, replica
    r of R has those from n * r // R to below n * (r + 1) // R, at times none. Each worker reads all batches and
    keeps its own parts of them, so all come to the end of the data at the same step.

    Args:
        batches: in the same order on every worker; the tensors of an element that stand in one dictionary have
            the same number of rows.
        strategy: whose replicas.
        prepare: what a replica's part passes on its way, so that no worker does the others' work.
    """
    replicas = strategy.num_replicas_in_sync

    def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local
        numbers = tf.data.Dataset.range(first, first + local)
        mine = batches.flat_map(
            # An element that is a tuple comes as so many arguments.
            lambda *batch: numbers.map(lambda number: take_part(batch, number, replicas))
        )
        if prepare is not None:
            mine = mine.map(prepare, num_parallel_calls=BATCHES_AT_ONCE)
        return without_autotune(mine.prefetch(BATCHES_AT_ONCE))

    return strategy.distribute_datasets_from_function(parts)


def take_part(batch: Any, number: tf.Tensor, parts: int) -> Any:
    """The rows that one of so many parts has of each tensor of a batch."""

    def take(values: tf.Tensor) -> tf.Tensor:
        count = tf.shape(values, out_type=tf.int64)[0]
        return values[count * number // parts : count * (number + 1) // parts]

    return tf.nest.map_structure(take, batch)
