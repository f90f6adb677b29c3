"""Trains models of clicks for the parts of an experiment."""

import dataclasses
from typing import Any

import numpy as np

from components.report import formats
from models.ctr.config import CtrConfig
from models.make.config import MakeConfig
from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_data import ClickData
from pipeline.experiment.clicks.ctr_trial import CtrTrial
from pipeline.experiment.clicks.make_trial import MakeTrial
from pipeline.experiment.clicks.trials import EPOCHS
from pipeline.experiment.clicks.vectors import Vectors


class ClickBench:
    """Trains models of clicks for the parts of an experiment; what was trained before is found again.

    Args:
        bench: what every part is given.
    Attributes:
        data: what all trials share.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.data: ClickData = bench.click_data()

    def config(self, integration: str, index: int, modalities: tuple[str, ...] | None = None) -> CtrConfig:
        """The configuration's model with another integration, and the seed that is `index` after its own.

        Args:
            integration: as `CtrConfig` has it.
            index: of the seed.
            modalities: whose embeddings; None: the configuration's.
        """
        ctr = self._bench.config.ctr
        seeded = dataclasses.replace(ctr, seed=ctr.seed + index)
        if integration == "id":
            return seeded.of_ids_alone()
        own = self.modalities if modalities is None else modalities
        return dataclasses.replace(seeded, integration=integration, modalities=own)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Whose embeddings the models see."""
        return self._bench.config.content_modalities

    def ctr(
        self,
        place: str,
        config: CtrConfig,
        make_epochs: int | None = None,
        vectors: Vectors | None = None,
    ) -> list[np.ndarray]:
        """Trains a model and predicts the test split after each epoch.

        Args:
            place: which trial of how many, to show.
            config: of `config`.
            make_epochs: how many of MAKE's epochs it starts from; 0: MAKE learns with the model from the
                beginning; None: the configuration's.
            vectors: embeddings in the place of the run's own.
        Returns:
            float32 `[impressions]` by epoch.
        """
        make = self._make_config(config, make_epochs)
        weights = None
        if config.uses_make and make.epochs:
            weights = self._train_make(place, config)["weights"][make.epochs - 1]
        trial = CtrTrial(config, make, weights, vectors)

        def run(folder: str) -> dict[str, Any]:
            start = None if weights is None else self._bench.store.read_array(weights).tobytes()
            return self._keep(trial.run(self.data, start))

        result = self._bench.once(place, trial.title, trial.settings(self.data), run, self._describe)
        return [self._bench.store.read_array(name) for name in result["predictions"]]

    def make(self, place: str, config: CtrConfig) -> list[np.ndarray]:
        """Trains MAKE by itself, with the modalities and the seed of `config`, and predicts after each epoch.

        Returns:
            float32 `[impressions]` by epoch.
        """
        result = self._train_make(place, config)
        return [self._bench.store.read_array(name) for name in result["predictions"]]

    def _train_make(self, place: str, config: CtrConfig) -> dict[str, Any]:
        make = dataclasses.replace(
            self._make_config(config, None), epochs=max(EPOCHS, self._bench.config.make.epochs)
        )
        trial = MakeTrial(make, config.modalities or ())

        def run(folder: str) -> dict[str, Any]:
            return self._keep(trial.run(self.data))

        return self._bench.once(place, trial.title, trial.settings(self.data), run, self._describe)

    def _make_config(self, config: CtrConfig, epochs: int | None) -> MakeConfig:
        """MAKE's seed goes with the model's."""
        own = self._bench.config
        seed = own.make.seed + config.seed - own.ctr.seed
        return dataclasses.replace(own.make, seed=seed, epochs=own.make.epochs if epochs is None else epochs)

    def _keep(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result with its arrays in the store."""
        arrays = {name: value for name, value in result.items() if isinstance(value, list)}
        return result | {
            name: [self._bench.store.save_array(array) for array in value] for name, value in arrays.items()
        }

    def _describe(self, result: dict[str, Any]) -> str:
        figures = self.data.clicks.measure(self._bench.store.read_array(result["predictions"][-1]))
        return (
            f"gauc {formats.metric(figures['gauc'])}, auc {formats.metric(figures['auc'])}, "
            f"{formats.seconds(result['seconds'])}"
        )
