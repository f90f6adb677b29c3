"""One thing that somebody should look at."""

from dataclasses import asdict, dataclass
from typing import Any

from transforms.input_error import InputError

KINDS = ("refused", "schema", "skew", "drift", "calibration", "coverage", "rejects")


@dataclass(frozen=True)
class Alert:
    """One thing of a finished run that somebody should look at.

    Attributes:
        kind: one of KINDS.
        subject: what it is about: a model ("ctr", "image_encoder", "text_encoder", "recall"), a feature, a modality
            or a log.
        text: one line that says what was expected and what came.
    """

    kind: str
    subject: str
    text: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"an alert's kind must be one of {', '.join(KINDS)}, got {self.kind!r}")

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.text}"

    def to_dict(self) -> dict[str, str]:
        """As `summary.json` has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> "Alert":
        """Reads what `to_dict` gave.

        Raises:
            InputError: it is something else.
        """
        if not isinstance(values, dict) or set(values) != {"kind", "subject", "text"}:
            raise InputError(f"expected an alert of kind, subject and text, got {values!r}")
        return cls(**values)
