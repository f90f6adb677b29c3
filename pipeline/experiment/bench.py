"""What every part of an experiment is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from pipeline.config import RunConfig
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.store import ResultStore


@dataclass(frozen=True)
class Bench:
    """What every part of an experiment is given.

    Attributes:
        config: the configuration of all stages.
        seeds: how many seeds each method is tried with.
        data: what LogIngest made.
        store: where the part's results are kept.
        checkpoints: a folder for trainings to go on from after a kill.
        out: where progress goes.
    """

    config: RunConfig
    seeds: int
    data: Ingested
    store: ResultStore
    checkpoints: str
    out: TextIO

    def once(
        self, title: str, settings: dict[str, Any], place: str, make: Callable[[str], dict[str, Any]]
    ) -> dict[str, Any]:
        """The result of a trial: what was kept of it, or what it gives now.

        Args:
            title: names the trial for people.
            settings: plain values, all that the result follows from beside the data.
            place: which trial of how many, to show.
            make: does the trial; its argument is a folder of its own for checkpoints.
        """
        name = self.store.name(title, settings)
        result = self.store.find(name)
        if result is not None:
            self._say(place, title, "done before")
            return result
        self._say(place, title, "…")
        result = make(f"{self.checkpoints}/{name}")
        self.store.save(name, result)
        self._say(place, title, result["said"])
        return result

    def _say(self, place: str, title: str, text: str) -> None:
        print(f"[{place}] {title:<44} {text}", file=self.out, flush=True)
