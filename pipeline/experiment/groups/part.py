"""Figure 6b as a part of the experiment."""

from pipeline.experiment.bench import Bench
from pipeline.experiment.clicks.click_bench import ClickBench
from pipeline.experiment.clicks.trials import TRIALS
from pipeline.experiment.groups.rows import make_rows
from pipeline.experiment.groups.views import section, tables
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows
from pipeline.experiment.truth import read_truth


def run(bench: Bench) -> Rows:
    """Trains the model of IDs alone and that with SimTier and MAKE, with every seed; Table 3's are the same.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    clicks = ClickBench(bench)
    total = 2 * bench.seeds
    ids, both = (
        [
            clicks.ctr(f"{2 * index + 1 + place:>2}/{total}", clicks.config(integration, index))[-1]
            for index in range(bench.seeds)
        ]
        for place, integration in enumerate(("id", "simtier_make"))
    )
    truth = read_truth(bench.logs, clicks.data.clicks.impression_ids)
    return make_rows(ids, both, clicks.data.clicks, truth)


GROUPS = Part("groups", run, tables, section, trials=TRIALS)
