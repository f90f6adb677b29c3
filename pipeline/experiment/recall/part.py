"""The recall article's ladder as a part of the experiment."""

import dataclasses
from typing import Any

from components.recall_evaluator.measurement import POPULAR, STAGED
from components.report import formats
from models.recall.config import FUSIONS
from pipeline.experiment.bench import Bench
from pipeline.experiment.part import Part
from pipeline.experiment.recall.recall_data import RecallData
from pipeline.experiment.recall.rows import Recalled, make_rows
from pipeline.experiment.recall.trial import RecallTrial
from pipeline.experiment.recall.views import section, tables
from pipeline.experiment.rows import Rows

_GROUPS = ("is_tail", "is_new")


def run(bench: Bench) -> Rows:
    """Trains the recall model with every fusion and every seed, and recalls for the clicks of the test days.

    Raises:
        InputError: the logs or the configuration do not allow it.
    """
    data = RecallData.of(bench)
    recalled: dict[str, list[Recalled]] = {name: [] for name in (POPULAR, *FUSIONS)}
    gates: dict[str, list[list[dict[str, Any]] | None]] = {name: [] for name in FUSIONS}
    total = bench.seeds * len(FUSIONS)
    for index in range(bench.seeds):
        for number, fusion in enumerate(FUSIONS, 1):
            place = f"{index * len(FUSIONS) + number:>2}/{total}"
            result = _train(bench, place, _trial(bench, fusion, index), data)
            recalled[fusion].append(_read(bench, result, STAGED))
            gates[fusion].append(result["gate"])
            if not recalled[POPULAR]:
                recalled[POPULAR].append(_read(bench, result, POPULAR))
    return make_rows(recalled, gates, bench.config.recall_evaluator.k)


def _train(bench: Bench, place: str, trial: RecallTrial, data: RecallData) -> dict[str, Any]:
    def run(folder: str) -> dict[str, Any]:
        return _keep(bench, trial.run(data))

    return bench.once(place, trial.title, trial.settings(data), run, _describe)


def _trial(bench: Bench, fusion: str, index: int) -> RecallTrial:
    own = bench.config.recall
    config = dataclasses.replace(own, fusion=fusion, seed=own.seed + index, modalities=None)
    if config.uses_content:
        named = bench.config.modalities if own.modalities is None else own.modalities
        config = dataclasses.replace(config, modalities=named)
    return RecallTrial(config, bench.config.recall_evaluator)


def _keep(bench: Bench, result: dict[str, Any]) -> dict[str, Any]:
    """The result with its arrays in the store."""
    ranks = {way: bench.store.save_array(array) for way, array in result["ranks"].items()}
    arrays = {name: bench.store.save_array(result[name]) for name in ("users", *_GROUPS)}
    return result | arrays | {"ranks": ranks}


def _read(bench: Bench, result: dict[str, Any], way: str) -> Recalled:
    ranks = bench.store.read_array(result["ranks"][way])
    return Recalled(
        ranks < bench.config.recall_evaluator.k,
        bench.store.read_array(result["users"]),
        {name: bench.store.read_array(result[name]) for name in _GROUPS},
    )


def _describe(result: dict[str, Any]) -> str:
    figures = result["figures"]
    k = str(figures["k"])
    staged = figures["stages"][STAGED]
    overall, tail = (staged[group]["click_recall"][k] for group in ("all", "long_tail"))
    return (
        f"click-recall@{k} {formats.metric(overall)}, long tail {formats.metric(tail)}, "
        f"{formats.seconds(result['seconds'])}"
    )


RECALL = Part("recall", run, tables, section)
