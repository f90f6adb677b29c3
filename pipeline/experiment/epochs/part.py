"""Figure 3 as a part of the experiment."""

import dataclasses

import numpy as np

from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_bench import ClickBench
from pipeline.experiment.clicks.trials import EPOCHS, TRIALS
from pipeline.experiment.epochs.rows import make_rows
from pipeline.experiment.epochs.views import section, tables
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows


def run(bench: Bench) -> Rows:
    """Trains a model of IDs alone and one of embeddings alone for several epochs, with every seed.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    clicks = ClickBench(bench)
    predictions: dict[tuple[str, int], list[np.ndarray]] = {}
    for index in range(bench.seeds):
        ids = dataclasses.replace(clicks.config("id", index), epochs=EPOCHS)
        by_model = {
            "id": clicks.ctr(f"{2 * index + 1:>2}/{2 * bench.seeds}", ids),
            "embeddings": clicks.make(f"{2 * index + 2:>2}/{2 * bench.seeds}", clicks.config("make", index)),
        }
        for model, epochs in by_model.items():
            for epoch, predicted in enumerate(epochs[:EPOCHS], 1):
                predictions.setdefault((model, epoch), []).append(predicted)
    return make_rows(predictions, clicks.data.clicks)


EPOCHS_PART = Part("epochs", run, tables, section, trials=TRIALS)
