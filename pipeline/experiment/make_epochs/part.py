"""Figure 6c as a part of the experiment."""

from itertools import count

import numpy as np

from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_bench import ClickBench
from pipeline.experiment.clicks.trials import EPOCHS, TRIALS
from pipeline.experiment.make_epochs.rows import make_rows
from pipeline.experiment.make_epochs.views import section, tables
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows


def run(bench: Bench) -> Rows:
    """Trains MAKE, and from each epoch of its training the model with SimTier and MAKE, with every seed.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    clicks = ClickBench(bench)
    predictions: dict[int, list[np.ndarray]] = {epochs: [] for epochs in range(EPOCHS + 1)}
    alone: dict[int, list[np.ndarray]] = {epochs: [] for epochs in range(1, EPOCHS + 1)}
    total = bench.seeds * (1 + len(predictions))
    places = (f"{number:>2}/{total}" for number in count(1))
    for index in range(bench.seeds):
        config = clicks.config("simtier_make", index)
        by_itself = clicks.make(next(places), config)
        for epochs, seeds in alone.items():
            seeds.append(by_itself[epochs - 1])
        for epochs, seeds in predictions.items():
            seeds.append(clicks.ctr(next(places), config, make_epochs=epochs)[-1])
    return make_rows(predictions, alone, clicks.data.clicks, frozen=not bench.config.ctr.train_make)


MAKE_EPOCHS = Part("make_epochs", run, tables, section, trials=TRIALS)
