"""The error that a client is told of."""

import grpc
import tensorflow as tf

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ServingError(Exception):
    """A request or a load that failed, with the code that gRPC and REST report.

    Args:
        code: what kind of failure.
        message: what was expected and what came.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @classmethod
    def from_tensorflow(cls, error: tf.errors.OpError) -> "ServingError":
        """TensorFlow's codes are those of gRPC."""
        return cls(_CODES[error.error_code], error.message)


def invalid(message: str) -> ServingError:
    """The error of a request that can never be answered."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)
