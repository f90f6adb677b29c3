"""Table 3 as a part of the experiment."""

import numpy as np

from models.ctr.config import INTEGRATIONS
from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_bench import ClickBench
from pipeline.experiment.clicks.trials import TRIALS
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows
from pipeline.experiment.table3.rows import make_rows
from pipeline.experiment.table3.views import section, tables
from pipeline.experiment.truth import read_truth


def run(bench: Bench) -> Rows:
    """Trains and measures every integration with every seed, as far as it is not done yet.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    clicks = ClickBench(bench)
    places = [(index, method) for index in range(bench.seeds) for method in INTEGRATIONS]
    predictions: dict[str, list[np.ndarray]] = {method: [] for method in INTEGRATIONS}
    # Seed by seed, so that what is there after a kill compares the methods.
    for number, (index, method) in enumerate(places, 1):
        config = clicks.config(method, index)
        predictions[method].append(clicks.ctr(f"{number:>2}/{len(places)}", config)[-1])
    seeds = [bench.config.ctr.seed + index for index in range(bench.seeds)]
    truth = read_truth(bench.logs, clicks.data.clicks.impression_ids)
    return make_rows(predictions, seeds, clicks.data.clicks, truth)


TABLE3 = Part("table3", run, tables, section, trials=TRIALS)
