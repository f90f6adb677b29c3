"""Configuration of the item index."""

import os
from dataclasses import dataclass
from functools import partial

from transforms.input_error import check_setting

_check = partial(check_setting, "index")


@dataclass(frozen=True)
class IndexConfig:
    """The item index.

    What ScaNN itself needs is chosen from the catalog's size (`scann_parameters.py`) and raised until the recall
    holds.

    Attributes:
        min_recall: share of the exact top items that the index must find, or it is not built.
        recall_at: how many top items that share is of.
        exact_below: a catalog of fewer items is searched exactly, and so is what a filter leaves of a larger one.
        num_recall_queries: how many queries measure the recall, at most.
        num_threads: threads of training and searching; None: one for each core that the process may use.
        max_added_items: how many items can be added before a rebuild; each costs an exact comparison a query.
        seed: of the choice of queries.
    """

    min_recall: float = 0.95
    recall_at: int = 100
    exact_below: int = 20_000
    num_recall_queries: int = 1_000
    num_threads: int | None = None
    max_added_items: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        _check("min_recall", self.min_recall, 0 < self.min_recall <= 1, "above 0 and at most 1")
        for name in ("recall_at", "num_recall_queries"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("exact_below", "max_added_items", "seed"):
            _check(name, getattr(self, name), getattr(self, name) >= 0, "at least 0")
        threads = self.num_threads
        _check("num_threads", threads, threads is None or threads >= 1, "at least 1 or absent")

    def threads(self) -> int:
        """`num_threads`, or what this process may use."""
        return self.num_threads or len(os.sched_getaffinity(0))
