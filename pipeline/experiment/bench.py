"""What every part of an experiment is given."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.config import RunConfig
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.store import ResultStore

if TYPE_CHECKING:
    from pipeline.experiment.clicks.click_data import ClickData


@dataclass(frozen=True)
class Bench:
    """What every part of an experiment is given.

    Attributes:
        config: the configuration of all stages.
        methods: names of those to compare; none for all.
        seeds: how many seeds each method is tried with.
        data: what LogIngest made.
        store: where the part's results are kept.
        checkpoints: a folder for trainings to go on from after a kill.
        logs: the folder of the four logs.
        click_data: gives what trials of models of clicks share; makes it when first called.
        out: where progress goes.
    """

    config: RunConfig
    methods: tuple[str, ...]
    seeds: int
    data: Ingested
    store: ResultStore
    checkpoints: str
    logs: str
    click_data: "Callable[[], ClickData]"
    out: TextIO

    def beside(self, name: str) -> "Bench":
        """The same with the results and checkpoints of other trials, by the name of their folder."""
        folders = (os.path.dirname(path) for path in (self.store.folder, self.checkpoints))
        results, checkpoints = (os.path.join(folder, name) for folder in folders)
        return dataclasses.replace(self, store=ResultStore(results, self.store.data), checkpoints=checkpoints)

    def once(
        self,
        place: str,
        title: str,
        settings: dict[str, Any],
        make: Callable[[str], dict[str, Any]],
        describe: Callable[[dict[str, Any]], str],
    ) -> dict[str, Any]:
        """The result of a trial: what was kept of it, or what it gives now.

        Args:
            place: which trial of how many, to show.
            title: names the trial for people.
            settings: plain values, all that the result follows from beside the data.
            make: does the trial; its argument is a folder of its own for checkpoints.
            describe: a result in a few words, to show.
        """
        name = self.store.name(title, settings)
        result = self.store.find(name)
        if result is not None:
            self._say(place, title, f"{describe(result)}, done before")
            return result
        self._say(place, title, "…")
        result = make(f"{self.checkpoints}/{name}")
        self.store.save(name, result)
        self._say(place, title, describe(result))
        return result

    def keep(self, title: str, settings: dict[str, Any], result: dict[str, Any]) -> None:
        """Keeps a result that came with another trial's, so that `once` finds it."""
        self.store.save(self.store.name(title, settings), result)

    def say(self, text: str) -> None:
        """Tells of something beside the trials."""
        print(text, file=self.out, flush=True)

    def _say(self, place: str, title: str, text: str) -> None:
        print(f"[{place}] {title:<44} {text}", file=self.out, flush=True)
