"""What goes wrong with an encoder behind the model server."""

import grpc


class EncoderUnavailable(RuntimeError):
    """The encoder does not answer, or answers what no encoder does; no item is to blame.

    Args:
        code: gRPC's, as it came.
        message: what happened.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code


class EncoderRefused(RuntimeError):
    """The encoder is there and fails at what it was given.

    Args:
        code: gRPC's, as it came.
        message: what happened.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
