"""What a stage's container asks of the cluster."""

import re
from dataclasses import dataclass

from transforms.input_error import InputError

_MEMORY = re.compile(r"[1-9][0-9]*(K|M|G|T|Ki|Mi|Gi|Ti)")


@dataclass(frozen=True)
class StageResources:
    """What a stage's container asks of the cluster; Kubernetes takes a limit without a request for both.

    Attributes:
        cpu: cores.
        memory: with a unit, such as 16G.
        accelerator: what to ask for beside: a resource of the cluster such as nvidia.com/gpu, or a type that
            Vertex AI knows such as NVIDIA_L4; empty: none.
        accelerator_count: of them.
    """

    cpu: float
    memory: str
    accelerator: str = ""
    accelerator_count: int = 0

    def __post_init__(self) -> None:
        if not self.cpu > 0:
            raise InputError(f"resources: expected more than 0 cores, got {self.cpu:g}")
        if not _MEMORY.fullmatch(self.memory):
            raise InputError(f"resources: expected memory with a unit such as 16G, got {self.memory!r}")
        if bool(self.accelerator) != (self.accelerator_count > 0):
            raise InputError(
                f"resources: expected an accelerator and how many, got {self.accelerator!r} and "
                f"{self.accelerator_count}"
            )


# By kind of stage. TensorFlow alone takes 1.5 GB, so that no stage asks for less than 4.
LIGHT = StageResources(cpu=1, memory="4G")
PLAIN = StageResources(cpu=2, memory="8G")
BEAM = StageResources(cpu=4, memory="16G")
TRAINER = StageResources(cpu=8, memory="32G")
