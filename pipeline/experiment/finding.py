"""Whether an order that a paper found shows here too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.experiment.figures import with_intervals

YES, NO, UNCLEAR = "yes", "no", "unclear"


@dataclass(frozen=True)
class Finding:
    """Whether an order that a paper found shows here too.

    Attributes:
        order: the paper's, for people.
        here: the figures that speak for or against it.
        verdict: "yes", "no" or "unclear".
    """

    order: str
    here: str
    verdict: str

    @classmethod
    def of_gain(
        cls,
        order: str,
        gain: dict[str, Any],
        rises: bool = True,
        write: Callable[[dict[str, Any]], str] = with_intervals,
    ) -> "Finding":
        """An order that holds if a difference is positive, or negative.

        Args:
            order: the paper's.
            gain: the difference, as `gain` gives it.
            rises: whether it should be positive.
            write: from the difference to what is shown.
        """
        return cls(order, write(gain), judge(gain, rises))


def judge(gain: dict[str, Any], rises: bool = True) -> str:
    """ "yes" or "no" where the difference and the intervals known of it lie on one side of zero, else "unclear"."""
    if gain["mean"] is None:
        return UNCLEAR
    # A single seed has no interval over seeds; some differences have none over users.
    intervals = [(gain["mean"], gain["mean"])]
    intervals += [
        (one["low"], one["high"]) for one in (gain, gain.get("users")) if one and one["low"] is not None
    ]
    if any(low <= 0 <= high for low, high in intervals):
        return UNCLEAR
    return YES if (gain["mean"] > 0) == rises else NO


def summarize(findings: Sequence[Finding]) -> str:
    """How many orders hold, and which do not, in a sentence or two."""
    held = sum(finding.verdict == YES for finding in findings)
    text = f"{held} of {len(findings)} of the paper's orders {'holds' if held == 1 else 'hold'} here."
    for verdict, said in ((NO, "The opposite shows here of"), (UNCLEAR, "Too close to tell")):
        orders = [finding.order for finding in findings if finding.verdict == verdict]
        if orders:
            text += f" {said}: {'; '.join(orders)}."
    return text
