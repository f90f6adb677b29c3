"""One training of a recall model, and what it brings for the clicks of the test days."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.recall_evaluator.config import RecallEvaluatorConfig
from components.recall_evaluator.measurement import POPULAR, RETRIEVED, STAGED, measure
from components.recall_evaluator.recall_inputs import CatalogItems, HeldOutUsers
from components.recall_evaluator.saved_recall import SavedRecall
from components.recall_trainer.training import train_recall
from models.recall.config import RecallConfig
from pipeline.experiment.recall.recall_data import RecallData

WAYS = (STAGED, RETRIEVED, POPULAR)


@dataclass(frozen=True)
class RecallTrial:
    """One training of a recall model.

    Attributes:
        config: the model, with its modalities named.
        evaluator: how it is measured.
    """

    config: RecallConfig
    evaluator: RecallEvaluatorConfig

    @property
    def title(self) -> str:
        """For people."""
        return f"recall {self.config.fusion}, seed {self.config.seed}"

    def settings(self, data: RecallData) -> dict[str, Any]:
        """All that the result follows from beside the logs."""
        evaluator = dataclasses.asdict(self.evaluator)
        # What must be reached changes nothing of what is measured.
        for name in ("min_click_recall", "max_drop", "max_random_cosine"):
            del evaluator[name]
        return {
            "recall": dataclasses.asdict(self.config),
            "evaluator": evaluator,
            "embeddings": data.fingerprint if self.config.uses_content else None,
        }

    def run(self, data: RecallData) -> dict[str, Any]:
        """Trains and recalls.

        Returns:
            "seconds" of training; "gate" as `train_recall` gives it; "figures" as `measure` does; "ranks" by way,
            int64 `[clicks]`; "users" int64, a number for each click's user; "is_tail" and "is_new" bool, of the
            clicked items.
        """
        module, history = train_recall(data.sources, self.config)
        recall = SavedRecall(module.signatures())
        items = CatalogItems.read(data.catalog, data.sources.item_stats, recall.item_specs)
        config = self.evaluator
        users = HeldOutUsers.read(
            [data.test_examples], items, recall.user_specs, config.max_clicks, config.seed
        )
        measured = measure(recall, users, items, config)
        return {
            "seconds": history["seconds"],
            "gate": history["gate"],
            "figures": measured.figures,
            "ranks": {way: measured.ranks[way] for way in WAYS},
            "users": np.unique(users.columns["user_id"], return_inverse=True)[1],
            "is_tail": measured.is_in_group["long_tail"],
            "is_new": measured.is_in_group["new"],
        }
