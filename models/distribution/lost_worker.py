"""Says in words that another worker of a training is gone."""

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf

from transforms.input_error import InputError

# What a collective operation ends with when a worker no longer takes part in it.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)


@contextlib.contextmanager
def lost_worker_as_input_error(strategy: str, hint: str) -> Iterator[None]:
    """Ends a training whose other workers are gone in one line.

    TensorFlow's coordination service notices a worker that sends no sign of life, and ends the operations in
    which others wait for it.

    Args:
        strategy: of the training; under another than multi_worker, errors are left alone.
        hint: what to do.
    Raises:
        InputError: instead of TensorFlow's error.
    """
    try:
        yield
    except _LOST as error:
        if strategy != "multi_worker":
            raise
        raise InputError(f"a worker of this training is gone; {hint} ({_cause(error)})") from error


def _cause(error: tf.errors.OpError) -> str:
    # Without the {{name}} of the operation that waited.
    lines = re.sub(r"\{\{.*?\}\}", "", error.message).splitlines()
    telling = [line.strip().rstrip(":") for line in lines if "/task:" in line or "aborted" in line]
    return telling[0] if telling else type(error).__name__
