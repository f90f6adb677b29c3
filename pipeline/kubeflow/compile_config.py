"""How the pipeline is compiled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.kubeflow.stage_resources import BEAM, LIGHT, PLAIN, TRAINER, StageResources
from transforms.input_error import InputError

TARGETS = ("kubeflow", "vertex")
KINDS = {"light": LIGHT, "plain": PLAIN, "beam": BEAM, "trainer": TRAINER}

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_ACCELERATORS = {
    "kubeflow": (re.compile(r"[a-z0-9.-]+/[a-zA-Z0-9._-]+"), "nvidia.com/gpu"),
    "vertex": (re.compile(r"[A-Z][A-Z0-9_]+"), "NVIDIA_L4"),
}


@dataclass(frozen=True)
class CompileConfig:
    """How the pipeline is compiled.

    Attributes:
        target: "kubeflow" (the open-source backend) or "vertex" (Vertex AI Pipelines).
        image: the project's image, by its digest.
        root: ROOT, a folder that all containers see under this path: on a volume (`volume_claim`), or a bucket
            that Vertex AI mounts below /gcs.
        logs: the default of the run's parameter of this name; empty: a run has to name it.
        preset: the default of the run's parameter of this name.
        volume_claim: the PersistentVolumeClaim that holds ROOT; open-source backend alone.
        mount_path: where it is mounted; empty: at ROOT.
        daily: whether a run is one day, which goes on from the day before; it has to name the day then.
        allow_tag: whether an image may be named by a tag, which another image may get later.
        retries: how often a failed stage is tried again, first after a minute and then after twice as long.
        reuse: whether a stage takes what it made before of the same inputs.
        accelerator: what trainers ask for, as `StageResources` has it; empty: none.
        accelerator_count: of them.
        resources: by stage or kind of stage, in place of the defaults.
        beam_args: Beam's flags.
    """

    target: str
    image: str
    root: str
    logs: str = ""
    preset: str = ""
    volume_claim: str = ""
    mount_path: str = ""
    daily: bool = False
    allow_tag: bool = False
    retries: int = 2
    reuse: bool = True
    accelerator: str = ""
    accelerator_count: int = 0
    resources: Mapping[str, StageResources] = field(default_factory=dict)
    beam_args: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InputError(f"target must be one of {', '.join(TARGETS)}, got {self.target!r}")
        if not (_DIGEST.fullmatch(self.image) or (self.allow_tag and self.image)):
            raise InputError(
                f"--image must name an image by its digest, NAME@sha256:…, got {self.image!r}: behind a tag a stage "
                "may meet another image than the one before it; --allow-tag takes it all the same"
            )
        if not 0 <= self.retries <= 10:
            raise InputError(f"--retries must lie in 0..10, got {self.retries}")
        self._check_root()
        self._check_accelerator()

    @property
    def mounted_at(self) -> str:
        """Where the volume is mounted."""
        return self.mount_path or self.root

    @property
    def container_root(self) -> str:
        """ROOT as the containers see it."""
        return self.root.replace("gs://", "/gcs/", 1) if self.target == "vertex" else self.root

    def resources_of(self, node: str, kind: str) -> StageResources:
        """What a stage asks for."""
        asked = self.resources.get(node) or self.resources.get(kind) or KINDS[kind]
        if kind != "trainer" or not self.accelerator:
            return asked
        return StageResources(asked.cpu, asked.memory, self.accelerator, self.accelerator_count)

    def _check_root(self) -> None:
        if self.target == "vertex":
            if not re.match(r"(gs://|/gcs/)[^/]+/.", self.root):
                raise InputError(f"--root must be gs://BUCKET/FOLDER for Vertex AI, got {self.root!r}")
            if self.volume_claim or self.mount_path:
                raise InputError(
                    "--volume-claim is for --target kubeflow; Vertex AI mounts buckets by itself"
                )
            return
        if not self.root.startswith("/"):
            raise InputError(
                f"--root must be a folder that all pods see, an absolute path, got {self.root!r}; for a bucket "
                "name a claim that mounts it (--volume-claim)"
            )
        if self.volume_claim and not _CLAIM.fullmatch(self.volume_claim):
            raise InputError(f"--volume-claim must be the name of a claim, got {self.volume_claim!r}")
        if self.mount_path and not self.volume_claim:
            raise InputError("--mount-path needs --volume-claim")
        if not f"{self.root.rstrip('/')}/".startswith(f"{self.mounted_at.rstrip('/')}/"):
            raise InputError(f"--root {self.root} must lie below --mount-path {self.mount_path}")

    def _check_accelerator(self) -> None:
        if bool(self.accelerator) != (self.accelerator_count > 0):
            raise InputError(
                f"expected an accelerator and how many, got {self.accelerator!r} and {self.accelerator_count}"
            )
        pattern, example = _ACCELERATORS[self.target]
        if self.accelerator and not pattern.fullmatch(self.accelerator):
            raise InputError(
                f"--accelerator must name one as --target {self.target} does, such as {example}, "
                f"got {self.accelerator!r}"
            )
