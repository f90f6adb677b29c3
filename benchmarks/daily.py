"""Ten simulated days run one by one: what going on from the day before gives, and what it costs.

    python benchmarks/daily.py [--quick] [--integration id|simtier]

The demo marketplace's logs are of fourteen days. The first three train the first model of every arm; then come ten
days, each trained up to its end and measured on the whole next day, which nothing has trained on (progressive
validation). The pipeline's own runs by day (`adlens run --date`) make all of it:

- continued: one ROOT, each day goes on from the one before.
- never_updated: the model of the first three days goes on serving.
- retrained: each day a ROOT of its own, which begins from nothing with all days so far.
- poisoned: a ROOT whose first day after those three has its clicks shuffled among its impressions; the day after
  that is as it was. The logs are damaged once the first model has been measured: measured on shuffled clicks, no model
  tells anything.

What is measured is what serves: where a day's model is refused, the last one that was pushed. The models take IDs
alone, or with `--integration simtier` SimTier over titles too, for which a small text encoder is trained on the first
day of each ROOT and never again, and an ID model beside.

The arms run at the same time, each in processes of its own. So what a day costs is told in processor seconds of its
whole run, from ingest to report, which neighbors disturb little; the seconds that passed in the stages that ingest and
train stand beside. The bar is on medians of three days.
"""

import argparse
import datetime
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.new_process import in_new_process
from benchmarks.reporting import Bar, progress, report
from sources.marketplace import PRESETS, simulate

BASE = datetime.date(2024, 1, 3)
DAYS = 10
INGEST_STAGES = ("LogIngest", "Transform", "VocabularyGrower")
TRAINING_STAGES = ("CtrTrainer", "IdBaseline")
# Of Student's distribution, two-sided 95 %, by days less one.
T_QUANTILES = {2: 4.303, 9: 2.262}
INTEGRATIONS = ("id", "simtier")
SETTINGS: dict[str, dict[str, Any]] = {
    "text_encoder": {"num_layers": 1, "hidden_dim": 64, "mlp_dim": 128, "embedding_dim": 64, "epochs": 4},
    "encoder_evaluator": {"max_random_cosine": 1.0},
    "daily": {"encoder_every_days": 1_000},
}
QUICK_SETTINGS: dict[str, dict[str, Any]] = {
    "text_encoder": SETTINGS["text_encoder"] | {"queue_size": 256, "batch_size": 32},
    "ctr": {"embedding_dim": 8, "batch_size": 128},
    "evaluator": {"gate": "auc", "min_value": 0.0},
}


class DayResult(TypedDict):
    """What is left of one day's run.

    `serving` is the model that serves after it, `examples` the day's and the next day's impressions; `base` is the
    model that the training went on from.
    """

    date: str
    status: str
    model: str
    serving: str
    base: str | None
    examples: str
    stages: dict[str, float]
    cpu_seconds: float


def main() -> None:
    """Makes the logs, runs the arms one after the other, measures what served, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="the tiny marketplace and three days, for a look"
    )
    parser.add_argument("--integration", choices=INTEGRATIONS, default=INTEGRATIONS[0])
    options = parser.parse_args()
    is_quick, settings = options.quick, _settings(options)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    count = 3 if is_quick else DAYS
    days = [BASE + datetime.timedelta(days=number) for number in range(count + 1)]
    with tempfile.TemporaryDirectory(prefix="adlens-daily-") as name:
        folder = Path(name)
        logs = folder / "logs"
        progress(f"simulating {count + 1} days and the three before them")
        in_new_process(simulate, PRESETS["tiny" if is_quick else "demo"], logs)
        _poison(logs, folder / "poisoned_logs", days[1])
        continued, poisoned, retrained = _run_arms(folder, days, settings)
        served = {
            "continued": [(day["serving"], day["examples"]) for day in continued],
            "never_updated": [(continued[0]["serving"], day["examples"]) for day in continued],
            "retrained": [
                (new["serving"], old["examples"]) for new, old in zip(retrained, continued[1:], strict=True)
            ],
            # Measured on the impressions as they were: what nobody tampered with.
            "poisoned": [
                (each["serving"], day["examples"]) for each, day in zip(poisoned, continued[:3], strict=True)
            ],
            "poison": [(poisoned[1]["model"], continued[1]["examples"])],
        }
        gaucs = in_new_process(_measure, served)
    _report(options.integration, days, gaucs, continued, retrained, poisoned)


def _run_arms(
    folder: Path, days: Sequence[datetime.date], settings: dict[str, Any]
) -> tuple[list[DayResult], list[DayResult], list[DayResult]]:
    """Continued, poisoned, and retrained, which is two processes' work."""
    logs = folder / "logs"
    with ThreadPoolExecutor(4) as threads:
        continued = threads.submit(in_new_process, _run_days, logs, folder / "continued", days, settings)
        poisoned = threads.submit(in_new_process, _run_poisoned, folder, days[:3], settings)
        # The days of one take turns with those of the other, so that both have about as many rows to train on.
        halves = [
            threads.submit(in_new_process, _retrain, logs, folder, days[first::2], settings)
            for first in (1, 2)
        ]
        retrained = [result for half in halves for result in half.result()]
        return continued.result(), poisoned.result(), sorted(retrained, key=lambda result: result["date"])


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Configuration values, as a YAML file has them."""
    settings = SETTINGS | (QUICK_SETTINGS if options.quick else {})
    integration = {"integration": options.integration}
    modalities = ["text"] if options.integration == "simtier" else []
    ctr = settings.get("ctr", {}) | integration
    return settings | {"modalities": modalities, "train_recall": False, "ctr": ctr}


def _poison(logs: Path, out: Path, day: datetime.date) -> None:
    """Copies the logs; the clicks of one day are shuffled among its impressions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shutil.copytree(logs, out)
    # A file of the simulated impressions is a day.
    path = out / "impressions" / f"part-{(day - datetime.date(2024, 1, 1)).days:05d}.parquet"
    table = pq.read_table(path)
    place = table.column_names.index("clicked")
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = table.column("clicked").take(pa.array(order))
    pq.write_table(table.set_column(place, table.schema.field(place), shuffled), path)


def _run_days(
    logs: Path, root: Path, days: Sequence[datetime.date], settings: dict[str, Any]
) -> list[DayResult]:
    """Runs days one after the other in one ROOT."""
    return [_run_day(logs, root, day, settings) for day in days]


def _run_poisoned(folder: Path, days: Sequence[datetime.date], settings: dict[str, Any]) -> list[DayResult]:
    """Runs the first day as it was, then the poisoned one and the day after it."""
    root = folder / "poisoned"
    first = _run_days(folder / "logs", root, days[:1], settings)
    return first + _run_days(folder / "poisoned_logs", root, days[1:], settings)


def _retrain(
    logs: Path, folder: Path, days: Sequence[datetime.date], settings: dict[str, Any]
) -> list[DayResult]:
    """Runs each day in a ROOT of its own, where it is the first and takes all days so far."""
    return [_run_day(logs, folder / f"retrained-{day}", day, settings) for day in days]


def _run_day(logs: Path, root: Path, day: datetime.date, settings: dict[str, Any]) -> DayResult:
    from pipeline.config import RunConfig, override
    from pipeline.progress import quiet
    from pipeline.root import Root
    from pipeline.run import run

    config = override(RunConfig(), settings)
    with quiet(Root(str(root)).log), open(os.devnull, "w", encoding="utf-8") as nowhere:
        started = time.process_time()
        summary = run(str(logs), str(root), config, out=nowhere, date=day)
        cpu_seconds = round(time.process_time() - started, 1)
    result = _collect(root, day, summary, cpu_seconds)
    gauc = summary["ctr"]["gauc"]
    progress(f"{root.name}: {day} {result['status']}, GAUC {gauc:.4f}, {cpu_seconds:.0f} processor seconds")
    return result


def _collect(root: Path, day: datetime.date, summary: dict[str, Any], cpu_seconds: float) -> DayResult:
    from pipeline import lineage
    from pipeline.pipeline import PIPELINE_NAME
    from pipeline.root import Root

    store = lineage.open_store(Root(str(root)))
    versions = sorted((root / "serving" / "ctr").iterdir(), key=lambda path: int(path.name))
    return DayResult(
        date=day.isoformat(),
        status="pushed" if "ctr" in summary["pushed"] else "refused",
        model=f"{lineage.last_outputs(store, PIPELINE_NAME, 'CtrTrainer')['model']}/Format-Serving",
        serving=str(versions[-1]),
        base=_base_of_last_training(store),
        examples=lineage.last_outputs(store, PIPELINE_NAME, "LogIngest")["examples"],
        stages={stage["name"]: stage["seconds"] for stage in summary["stages"]},
        cpu_seconds=cpu_seconds,
    )


def _base_of_last_training(store: Any) -> str | None:
    """The model that CtrTrainer's last execution read as its base."""
    from ml_metadata.proto import metadata_store_pb2

    context = store.get_context_by_type_and_name("node", "adlens.CtrTrainer")
    last = max(execution.id for execution in store.get_executions_by_context(context.id))
    for event in store.get_events_by_execution_ids([last]):
        if event.type == metadata_store_pb2.Event.INPUT and event.path.steps[0].key == "base":
            (artifact,) = store.get_artifacts_by_id([event.artifact_id])
            return f"{artifact.uri}/Format-Serving"
    return None


def _measure(served: dict[str, list[tuple[str, str]]]) -> dict[str, list[float]]:
    """GAUC of each model on the whole day after that of its examples."""
    import tensorflow as tf

    from models.metrics.gauc import gauc

    columns = {
        "user_id": tf.io.FixedLenFeature([], tf.string),
        "clicked": tf.io.FixedLenFeature([], tf.int64),
    }
    found: dict[str, list[float]] = {}
    for arm, days in served.items():
        found[arm] = []
        for model, examples in days:
            predict = tf.saved_model.load(model).signatures["serving_default"]
            files = sorted(
                str(path) for split in ("eval", "test") for path in Path(examples).glob(f"Split-{split}/*")
            )
            users, clicked, predictions = [], [], []
            for batch in tf.data.TFRecordDataset(files).batch(1_024):
                parsed = tf.io.parse_example(batch, columns)
                users.append(parsed["user_id"].numpy())
                clicked.append(parsed["clicked"].numpy())
                predictions.append(predict(examples=batch)["probabilities"].numpy())
            value = gauc(np.concatenate(users), np.concatenate(clicked), np.concatenate(predictions))
            found[arm].append(round(value, 4))
        progress(f"{arm}: GAUC by day {found[arm]}")
    return found


def _report(
    integration: str,
    days: Sequence[datetime.date],
    gaucs: dict[str, list[float]],
    continued: Sequence[DayResult],
    retrained: Sequence[DayResult],
    poisoned: Sequence[DayResult],
) -> None:
    # On the first day all arms have the same model.
    gains = np.array(gaucs["continued"][1:]) - np.array(gaucs["never_updated"][1:])
    mean, half = float(gains.mean()), _half_width(gains)
    behind = float((np.array(gaucs["retrained"]) - np.array(gaucs["continued"][1:])).mean())
    arms = {"continued": continued[1:], "retrained": retrained}
    costs = {arm: [day["cpu_seconds"] for day in results] for arm, results in arms.items()}
    figures: dict[str, Any] = {
        "integration": integration,
        "trained_to": [day.isoformat() for day in days],
        **{f"gauc_{arm}": values for arm, values in gaucs.items() if arm != "poison"},
        "gauc_of_the_poisoned_model": gaucs["poison"][0],
        "status_continued": [day["status"] for day in continued],
        "status_retrained": [day["status"] for day in retrained],
        "status_poisoned": [day["status"] for day in poisoned],
        "continued_over_never_updated": round(mean, 4),
        "continued_over_never_updated_interval_over_days": [round(mean - half, 4), round(mean + half, 4)],
        "retrained_over_continued": round(behind, 4),
        **{f"cpu_seconds_of_a_day_{arm}": values for arm, values in costs.items()},
        **{f"seconds_of_ingest_and_training_{arm}": _seconds(results) for arm, results in arms.items()},
        "cost_growth_retrained": _growth(costs["retrained"]),
    }
    went_on = poisoned[2]["base"] == poisoned[0]["model"]
    bars = {
        "continued_over_never_updated_lower_end": Bar(round(mean - half, 4), at_least=0.0),
        "cost_growth_continued": Bar(_growth(costs["continued"]), at_most=1.3),
        "poisoned_day_refused": Bar(int(poisoned[1]["status"] == "refused"), at_least=1),
        "old_model_serves_after_poison": Bar(
            int(poisoned[1]["serving"] == poisoned[0]["serving"]), at_least=1
        ),
        "day_after_goes_on_from_last_blessed": Bar(int(went_on), at_least=1),
    }
    report("daily", figures, bars)


def _half_width(values: np.ndarray) -> float:
    """Half of the 95 % interval of the mean over days."""
    return T_QUANTILES[len(values) - 1] * float(values.std(ddof=1)) / math.sqrt(len(values))


def _seconds(days: Sequence[DayResult]) -> list[float]:
    counted = (*INGEST_STAGES, *TRAINING_STAGES)
    return [round(sum(day["stages"].get(stage, 0.0) for stage in counted), 1) for day in days]


def _growth(seconds: Sequence[float]) -> float:
    """The last three days' median over the first three's."""
    return round(statistics.median(seconds[-3:]) / statistics.median(seconds[:3]), 3)


if __name__ == "__main__":
    main()
