"""Table 2 as a part of the experiment."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from components.report import formats
from models.encoder.titled_images import count_titled_images
from pipeline.experiment.bench import Bench
from pipeline.experiment.part import Part, Rows
from pipeline.experiment.table2.held_out_pairs import HeldOutPairs
from pipeline.experiment.table2.methods import METHODS, Method
from pipeline.experiment.table2.page import section
from pipeline.experiment.table2.rows import make_rows
from pipeline.experiment.table2.terminal import tables
from pipeline.experiment.table2.trial import Trial
from transforms.input_error import InputError
from transforms.time_splits import SPLITS


def run(bench: Bench) -> Rows:
    """Trains and measures every method with every seed, as far as it is not done yet.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    return make_rows(run_trials(bench))


def run_trials(bench: Bench) -> list[dict[str, Any]]:
    """The results of all trials, those of a method and modality in the order of the seeds.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    config = bench.config
    if not config.modalities:
        raise InputError("table2 compares encoders, so `modalities` must name image, text or both")
    methods = choose_methods(bench)
    measured = config.encoder_evaluator
    held_out = {
        modality: HeldOutPairs(
            bench.data.pair_files(SPLITS[-1]), modality, measured.batch_size, measured.seed
        )
        for modality in config.modalities
    }
    # Seed by seed, so that what is there after a kill compares the methods.
    trials = [
        Trial.of(method, modality, config, index)
        for index in range(bench.seeds)
        for modality in config.modalities
        for method in methods
    ]
    return [
        bench.once(
            f"{number:>2}/{len(trials)}",
            trial.title,
            _settings(trial, bench),
            partial(_run, trial, bench, held_out),
            _describe,
        )
        for number, trial in enumerate(trials, 1)
    ]


def _run(
    trial: Trial, bench: Bench, held_out: Mapping[str, HeldOutPairs], checkpoint_folder: str
) -> dict[str, Any]:
    """The trial's result; what the same training gave of the other modality is kept for its own trial."""
    results = trial.run(bench.data, held_out, bench.store, checkpoint_folder)
    for modality, result in results.items():
        other = trial.of_modality(modality)
        if other != trial:
            bench.keep(other.title, _settings(other, bench), result)
    return results[trial.modality]


def _settings(trial: Trial, bench: Bench) -> dict[str, Any]:
    return {**trial.settings, "seed": bench.config.encoder_evaluator.seed, "keeps": ["vectors"]}


def choose_methods(bench: Bench) -> list[Method]:
    """The methods that are asked for; if none is, all that have something to learn from in these logs.

    Raises:
        InputError: there is no such method.
    """
    if bench.methods:
        known = [method.name for method in METHODS]
        for name in bench.methods:
            if name not in known:
                raise InputError(f"table2 knows the methods {', '.join(known)}, got {name!r}")
        return [method for method in METHODS if method.name in bench.methods]
    if count_titled_images(bench.data.catalog_files, bench.data.train_end):
        return list(METHODS)
    left_out = [method.name for method in METHODS if method.reads_catalog]
    bench.say(
        f"{', '.join(left_out)} left out: no item with a title and a picture says that it was created before the "
        "training days end"
    )
    return [method for method in METHODS if not method.reads_catalog]


def _describe(result: dict[str, Any]) -> str:
    accuracy = f"acc@1 {formats.metric(result['acc@1'])}, acc@5 {formats.metric(result['acc@5'])}"
    if not result["steps"]:
        return accuracy
    return f"{accuracy}, {result['steps']:,} steps in {formats.seconds(result['seconds'])}"


TABLE2 = Part("table2", run, tables, section)
