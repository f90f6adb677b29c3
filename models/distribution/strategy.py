"""How a training is spread over devices and machines."""

import functools
import os

import tensorflow as tf

from models.distribution.choices import STRATEGIES
from transforms.input_error import InputError

# All of a cluster may train; it has no parameter servers and no evaluator.
_TASK_TYPES = ("chief", "worker")


@functools.cache
def open_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy of a configuration's value; the same object each time, for a process has one of each.

    none: TensorFlow's default, one replica. mirrored: a replica on each GPU of this machine, or without GPUs on
    each logical CPU device. multi_worker: a replica on each GPU of each worker (one where it has none); every
    worker runs the same program, and `TF_CONFIG` names them all and which one this is. tpu: a replica on each core
    of the TPU that the environment names.

    Args:
        name: one of `STRATEGIES`. multi_worker comes before anything else that TensorFlow computes in a process.
    Raises:
        InputError: no such strategy, no usable `TF_CONFIG`, or no TPU.
    """
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        return _open_multi_worker()
    if name == "tpu":
        return _open_tpu()
    if name != "none":
        raise InputError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name}")
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes what all workers have made together: the chief, or else worker 0."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = strategy.cluster_resolver
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "chief" or (not has_chief and resolver.task_id == 0)


def _open_multi_worker() -> tf.distribute.Strategy:
    wanted = "strategy multi_worker expected TF_CONFIG to name the workers and which of them this is"
    if not os.environ.get("TF_CONFIG"):
        raise InputError(f"{wanted}, got none")
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        jobs = resolver.cluster_spec().as_dict()
        address = resolver.cluster_spec().task_address(resolver.task_type, resolver.task_id)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{wanted}, got {os.environ['TF_CONFIG']}") from error
    if not address or not set(jobs) <= set(_TASK_TYPES):
        raise InputError(f"{wanted}, each {' or '.join(_TASK_TYPES)}, got {os.environ['TF_CONFIG']}")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:  # "Collective ops must be configured at program startup"
        raise InputError(
            "strategy multi_worker must be opened before TensorFlow computes anything in the process"
        ) from error


def _open_tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"strategy tpu expected TPU_NAME to name a TPU, got none: {reason}") from error
    return tf.distribute.TPUStrategy(resolver)
