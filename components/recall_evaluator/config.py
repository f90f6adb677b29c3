"""How recall is measured, and what a recall model must reach."""

from dataclasses import dataclass
from functools import partial

from transforms.input_error import check_setting

_check = partial(check_setting, "recall_evaluator")


@dataclass(frozen=True)
class RecallEvaluatorConfig:
    """How recall is measured, and what a recall model must reach to be pushed.

    Attributes:
        k: the number of recalled items that decides.
        ks: all numbers of recalled items that are measured; `k` is added.
        num_retrieved: candidates that the first stage brings, for the second to reorder.
        head_click_share: the most clicked items that together make up this share of the training days' clicks
            are the head; all others are the long tail.
        max_clicks: of more clicks in the test split so many are drawn.
        max_exact_scores: the exact mode, which scores every item for a click, is measured on as many clicks as
            stay below this number of scores.
        min_click_recall: the least click-recall at `k`.
        max_drop: how far below that of the last blessed model it may lie.
        max_random_cosine: the highest mean cosine of two random items' vectors; where all vectors are alike, the
            towers have collapsed.
        seed: of the draws.
    """

    k: int = 100
    ks: tuple[int, ...] = (10, 50, 500)
    num_retrieved: int = 2_000
    head_click_share: float = 0.8
    max_clicks: int = 5_000
    max_exact_scores: int = 100_000_000
    min_click_recall: float = 0.0
    max_drop: float = 0.005
    max_random_cosine: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("k", "num_retrieved", "max_clicks", "max_exact_scores"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        _check("ks", self.ks, all(k >= 1 for k in self.ks), "numbers of at least 1")
        # Beyond what is retrieved nothing can be found, and click-recall would not say so.
        most = max(self.all_ks)
        _check("num_retrieved", self.num_retrieved, self.num_retrieved >= most, f"at least every k ({most})")
        _check("head_click_share", self.head_click_share, 0 < self.head_click_share < 1, "between 0 and 1")
        for name in ("min_click_recall", "max_drop", "max_random_cosine"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) <= 1, "in [0, 1]")

    @property
    def all_ks(self) -> tuple[int, ...]:
        """Ascending, `k` among them."""
        return tuple(sorted({self.k, *self.ks}))
