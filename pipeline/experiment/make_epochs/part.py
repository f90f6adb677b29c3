"""Figure 6c as a part of the experiment."""

import numpy as np

from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_bench import ClickBench
from pipeline.experiment.clicks.trials import EPOCHS, TRIALS
from pipeline.experiment.make_epochs.rows import make_rows
from pipeline.experiment.make_epochs.views import section, tables
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows


def run(bench: Bench) -> Rows:
    """Trains the model with SimTier and MAKE from each epoch of MAKE's own training, with every seed.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    clicks = ClickBench(bench)
    predictions: dict[int, list[np.ndarray]] = {epochs: [] for epochs in range(EPOCHS + 1)}
    trials = [(index, epochs) for index in range(bench.seeds) for epochs in predictions]
    for number, (index, epochs) in enumerate(trials, 1):
        config = clicks.config("simtier_make", index)
        predicted = clicks.ctr(f"{number:>2}/{len(trials)}", config, make_epochs=epochs)
        predictions[epochs].append(predicted[-1])
    return make_rows(predictions, clicks.data.clicks)


MAKE_EPOCHS = Part("make_epochs", run, tables, section, trials=TRIALS)
