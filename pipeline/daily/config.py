"""How a run by days goes on from the days before."""

from dataclasses import dataclass

from transforms.input_error import check_setting


@dataclass(frozen=True)
class DailyConfig:
    """How a run by days goes on from the days before.

    Attributes:
        encoder_every_days: encoders are trained on the first day and then every so many days.
        pair_days: of so many days, the last ones, are the query pairs that encoders are trained with.
        make_days: of so many days, the last ones, are the impressions that MAKE is trained with on days that train
            encoders; fewer where there are not so many yet.
        max_drop: how far the gate's metric of a day's model, measured on the next day, may lie below that of the
            last blessed model; it takes the place of `evaluator.max_drop`.
        recall_max_drop: the same of recall; it takes the place of `recall_evaluator.max_drop`.
    """

    encoder_every_days: int = 7
    pair_days: int = 28
    make_days: int = 7
    max_drop: float = 0.01
    recall_max_drop: float = 0.02

    def __post_init__(self) -> None:
        for name in ("encoder_every_days", "pair_days", "make_days"):
            check_setting("daily", name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("max_drop", "recall_max_drop"):
            check_setting("daily", name, getattr(self, name), 0 <= getattr(self, name) <= 1, "in [0, 1]")
