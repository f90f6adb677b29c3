"""What a report knows of one encoder."""

import os
from dataclasses import dataclass
from typing import Any, Self

from components.report import files

# A bound on what a page weighs, whatever the evaluator was told to keep.
MAX_EXAMPLES = 24


@dataclass(frozen=True)
class EncoderRecord:
    """One encoder's training and evaluation, in plain values.

    Attributes:
        metrics: `metrics.json` of the EncoderEvaluator.
        examples: queries with their positive and what they retrieve: rows of `examples.parquet`.
        history: `history.json` of the training.
        pushed: where the Pusher put the encoder, or None.
    """

    metrics: dict[str, Any]
    examples: list[dict[str, Any]]
    history: dict[str, Any]
    pushed: str | None

    @classmethod
    def load(cls, evaluation: str, run: str, pushed: str | None) -> Self:
        """Reads the artifacts.

        Args:
            evaluation, run: folders of the EncoderEvaluator's and of the encoder's artifact.
            pushed: where the Pusher put the encoder, or None.
        Raises:
            InputError: if one of the files is missing or unreadable.
        """
        return cls(
            metrics=files.read_json(os.path.join(evaluation, "metrics.json")),
            examples=files.read_rows(os.path.join(evaluation, "examples.parquet"), MAX_EXAMPLES),
            history=files.read_json(os.path.join(run, "history.json")),
            pushed=pushed,
        )
