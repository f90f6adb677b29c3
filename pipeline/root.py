"""Where things lie below ROOT."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Root:
    """Where things lie below ROOT.

    Attributes:
        path: ROOT itself.
    """

    path: str

    @property
    def artifacts(self) -> str:
        """What the stages write, a folder a stage."""
        return os.path.join(self.path, "artifacts")

    @property
    def metadata(self) -> str:
        """The lineage: which stage made what from what (ML Metadata on SQLite)."""
        return os.path.join(self.path, "metadata.sqlite")

    @property
    def lineage(self) -> str:
        """What each stage gave where stages run in containers of their own, which share no metadata store."""
        return os.path.join(self.path, "lineage")

    @property
    def log(self) -> str:
        """What the libraries said during the run."""
        return os.path.join(self.path, "run.log")

    @property
    def report(self) -> str:
        """The report for people."""
        return os.path.join(self.path, "report.html")

    @property
    def experiments(self) -> str:
        """What the trials of `adlens experiment` gave, a file a trial."""
        return os.path.join(self.path, "experiment")

    @property
    def experiment(self) -> str:
        """The papers' tables and figures, for programs."""
        return os.path.join(self.path, "experiment.json")

    @property
    def experiment_page(self) -> str:
        """The papers' tables and figures, for people."""
        return os.path.join(self.path, "experiment.html")

    @property
    def checkpoints(self) -> str:
        """What a training needs to go on after a kill; empty when all have ended."""
        return os.path.join(self.path, "checkpoints")

    @property
    def cache(self) -> str:
        """What saves work in the next run; removing it costs time alone."""
        return os.path.join(self.path, "cache")

    @property
    def serving_folder(self) -> str:
        """All that serving needs: pushed models, and the release that names those that belong together."""
        return os.path.join(self.path, "serving")

    def serving(self, model: str) -> str:
        """Where a pushed model's versions lie, as TF Serving reads them."""
        return os.path.join(self.serving_folder, model)
