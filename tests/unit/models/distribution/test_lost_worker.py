"""A lost worker is said in one line; what is no worker's fault is not put down to one."""

import pytest
import tensorflow as tf

from models.distribution.lost_worker import lost_worker_as_input_error
from transforms.input_error import InputError

MESSAGE = (
    "Graph error:\n\n{{node Reduce}} Collective ops is aborted by: /job:worker/task:1 stopped:\nRestart."
)


@pytest.mark.parametrize("kind", [tf.errors.UnavailableError, tf.errors.AbortedError])
def test_a_lost_worker(kind: type[tf.errors.OpError]) -> None:
    with pytest.raises(InputError) as caught, lost_worker_as_input_error("multi_worker", "start again"):
        raise kind(None, None, MESSAGE)
    assert str(caught.value) == (
        "a worker of this training is gone; start again "
        "(Collective ops is aborted by: /job:worker/task:1 stopped)"
    )


def test_without_other_workers_none_is_lost() -> None:
    # A store of files that cannot be reached, say.
    with pytest.raises(tf.errors.UnavailableError), lost_worker_as_input_error("mirrored", "start again"):
        raise tf.errors.UnavailableError(None, None, MESSAGE)


def test_other_errors_stay_what_they_are() -> None:
    error = tf.errors.InvalidArgumentError(None, None, "shapes differ")
    with pytest.raises(tf.errors.InvalidArgumentError), lost_worker_as_input_error("multi_worker", "wait"):
        raise error
