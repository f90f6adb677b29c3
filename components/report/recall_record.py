"""What a report knows of recall."""

import os
from dataclasses import dataclass
from typing import Any, Self

from components.report import files


@dataclass(frozen=True)
class RecallRecord:
    """The recall model's training and evaluation and its index, in plain values.

    Attributes:
        history: `history.json` of the training.
        metrics: `metrics.json` of the RecallEvaluator.
        index: `metrics.json` of the IndexBuilder.
        pushed: where the Pusher put the model with its index, or None.
    """

    history: dict[str, Any]
    metrics: dict[str, Any]
    index: dict[str, Any]
    pushed: str | None

    @classmethod
    def load(cls, run: str, evaluation: str, index_evaluation: str, pushed: str | None) -> Self:
        """Reads the artifacts.

        Args:
            run, evaluation, index_evaluation: folders of the artifacts.
            pushed: where the Pusher put the model, or None.
        Raises:
            InputError: if one of the files is missing or unreadable.
        """
        return cls(
            history=files.read_json(os.path.join(run, "history.json")),
            metrics=files.read_json(os.path.join(evaluation, "metrics.json")),
            index=files.read_json(os.path.join(index_evaluation, "metrics.json")),
            pushed=pushed,
        )

    @property
    def blessed(self) -> bool:
        """Whether the model and its index may be pushed."""
        # The index of a model that was not blessed is not blessed either.
        return self.index["validation"]["ok"]

    @property
    def reasons(self) -> list[str]:
        """Why they may not."""
        return [*self.metrics["validation"]["reasons"], *self.index["validation"]["reasons"]]
