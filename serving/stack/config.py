"""Configuration of the stack."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from transforms.input_error import check_setting

_check = partial(check_setting, "serve")


@dataclass(frozen=True)
class StackConfig:
    """The stack.

    Attributes:
        root: what the pipeline was given as its root.
        host: the address that the gateway listens on; the other parts are for this machine alone.
        port: of the gateway.
        grpc_port: of the model server's gRPC.
        rest_port: of the model server's REST.
        status_port: of the encoder service's status.
        workers: processes of the gateway.
        token_file: the tokens that the gateway asks for; None: it asks for none.
        redis: the address of a Redis that keeps items, queue and embeddings; None: files below the root do.
        gateway_flags: more flags of the gateway's command line.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 8500
    rest_port: int = 8501
    status_port: int = 8502
    workers: int = 1
    token_file: Path | None = None
    redis: str | None = None
    gateway_flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("port", "grpc_port", "rest_port", "status_port"):
            _check(name, getattr(self, name), 0 < getattr(self, name) < 2**16, "between 1 and 65535")
        _check("ports", self.ports, len(set(self.ports.values())) == len(self.ports), "all different")
        _check("workers", self.workers, self.workers >= 1, "at least 1")

    @property
    def ports(self) -> dict[str, int]:
        """By the name of the setting."""
        return {name: getattr(self, name) for name in ("port", "grpc_port", "rest_port", "status_port")}
