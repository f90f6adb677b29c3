"""How requests are put together."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.model_server.text_config import new_message, read_text_config
from transforms.input_error import InputError


@dataclass(frozen=True)
class BatchingParameters:
    """TF Serving's parameters of batching, with its defaults.

    Attributes:
        max_batch_size: rows of a batch at most; a request of more is refused.
        batch_timeout_micros: how long the first request of a batch waits for others.
        max_enqueued_batches: batches of a signature that may wait; requests beyond are refused.
        num_batch_threads: batches that run at once, of all models.
        allowed_batch_sizes: increasing, the last one `max_batch_size`; batches are filled up to one of them.
    Raises:
        InputError: if one is out of its range.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected an integer > 0, got {getattr(self, name)}")
        if self.batch_timeout_micros < 0:
            raise InputError(
                f"batch_timeout_micros: expected an integer >= 0, got {self.batch_timeout_micros}"
            )
        sizes = self.allowed_batch_sizes
        if sizes and (sorted(set(sizes)) != list(sizes) or sizes[0] < 1 or sizes[-1] != self.max_batch_size):
            raise InputError(
                f"allowed_batch_sizes: expected increasing integers that end with max_batch_size "
                f"{self.max_batch_size}, got {list(sizes)}"
            )

    @classmethod
    def read(cls, path: Path) -> "BatchingParameters":
        """Reads TF Serving's file: a BatchingParameters in protobuf's text format."""
        message: Any = read_text_config(path, new_message("BatchingParameters"))
        if message.pad_variable_length_inputs:
            raise InputError(
                f"{path}: pad_variable_length_inputs is not supported; only equal shapes share a batch"
            )
        names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
        given = {name: getattr(message, name).value for name in names if message.HasField(name)}
        return cls(**given, allowed_batch_sizes=tuple(message.allowed_batch_sizes))
