"""`adlens experiment`, the parts that train on impressions, over small logs: rows, reuse, what is done again."""

import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brute_force
import pyarrow.parquet as pq
import pytest

from pipeline.config import RunConfig, override
from pipeline.experiment.clicks import click_bench
from pipeline.experiment.clicks.ctr_trial import CtrTrial
from pipeline.experiment.clicks.make_trial import MakeTrial
from pipeline.experiment.epochs import part as epochs_part
from pipeline.experiment.make_epochs import part as make_epochs_part
from pipeline.experiment.recall import part as recall_part
from pipeline.experiment.recall.trial import RecallTrial
from pipeline.experiment.runner import run_experiment
from pipeline.experiment.table2.trial import Trial
from pipeline.presets import preset
from sources.marketplace.presets import PRESETS
from sources.marketplace.simulate import simulate
from transforms.input_error import InputError

PARTS = ["table3", "epochs", "correlation", "groups", "make_epochs"]
INTEGRATIONS = ["id", "vector", "simscore", "simtier", "make", "simtier_make"]
ENCODERS = ["backbone", "scl"]
SPREAD = {"mean", "std", "values"}
GAIN = SPREAD | {"low", "high"}
EPOCHS = 2  # of the figures, here
FUSIONS = ("id", "feature_conditional_output")  # of the ladder, here
SHARES = ("click_recall", "long_tail_click_recall", "new_click_recall")


def config(**values: Any) -> RunConfig:
    small = {"modalities": ["text"], "text_encoder": {"epochs": 1}, "make": {"epochs": 2}}
    return override(preset("tiny"), small | values)


@dataclass
class Experiment:
    """Runs parts over the same logs and ROOT, and notes which trainings that took."""

    folder: Path
    trained: list[str]

    def run(
        self, *parts: str, settings: RunConfig | None = None, seeds: int = 2
    ) -> tuple[dict[str, Any], list[str], str]:
        """Rows, titles of what was trained, and what was shown."""
        out = io.StringIO()
        self.trained.clear()
        logs, root = str(self.folder / "logs"), str(self.folder / "root")
        line = "adlens experiment …"
        rows = run_experiment(logs, root, settings or config(), parts, ENCODERS, seeds, line, out)
        return rows, list(self.trained), out.getvalue()

    def results(self, part: str) -> list[Path]:
        return sorted((self.folder / "root" / "experiment" / part).glob("*.json"))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("experiment")
    simulate(PRESETS["tiny"], folder / "logs", lambda *_: None)
    trained: list[str] = []

    def noting(run: Any) -> Any:
        def noted(trial: Any, *arguments: Any) -> Any:
            trained.append(trial.title)
            return run(trial, *arguments)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for module in (click_bench, epochs_part, make_epochs_part):
            patch.setattr(module, "EPOCHS", EPOCHS)
        patch.setattr(recall_part, "FUSIONS", FUSIONS)
        for kind in (CtrTrial, MakeTrial, Trial, RecallTrial):
            patch.setattr(kind, "run", noting(kind.run))
        yield Experiment(folder, trained)


@pytest.fixture(scope="module")
def first(experiment: Experiment) -> tuple[dict[str, Any], list[str], str]:
    return experiment.run(*PARTS)


Ran = tuple[dict[str, Any], list[str], str]


def test_each_model_is_trained_once_for_all_parts(experiment: Experiment, first: Ran) -> None:
    table3 = [
        title
        for seed in (0, 1)
        for title in (
            *(f"{name}, seed {seed}" for name in ("id", "vector", "simscore", "simtier")),
            # MAKE's own training serves both models that begin with it.
            f"MAKE alone, 2 epochs, seed {seed}",
            f"make, MAKE 2 epochs, seed {seed}",
            f"simtier_make, MAKE 2 epochs, seed {seed}",
        )
    ]
    # Figure 3 takes the MAKEs of table 3, 6b two of its models, 6c the models that begin with the last epoch.
    epochs = [f"id, seed {seed}" for seed in (0, 1)]
    encoders = [f"{name}-text-seed{seed}" for seed in (0, 1) for name in ENCODERS]
    correlation = [f"simtier with {name} text, seed {seed}" for seed in (0, 1) for name in ENCODERS]
    correlation += [f"simtier with random text, seed {seed}" for seed in (0, 1)]
    make_epochs = [f"simtier_make, MAKE {epochs} epochs, seed {seed}" for seed in (0, 1) for epochs in (0, 1)]
    assert first[1] == [*table3, *epochs, *encoders, *correlation, *make_epochs]
    assert len(experiment.results("clicks")) == 14 + 2 + 6 + 4
    assert len(experiment.results("table2")) == 4


def test_table3(first: Ran) -> None:
    *rows, oracle = first[0]["table3"]
    assert [row["method"] for row in rows] == INTEGRATIONS and oracle["method"] == "oracle"
    for row in rows:
        assert {"seeds", "impressions", "users", "gain", "relative_gain", "paper"} <= set(row)
        assert row["seeds"] == [0, 1]
        for name in ("auc", "gauc", "logloss", "calibration"):
            assert set(row[name]) == SPREAD and len(set(row[name]["values"])) == 2
        assert 0.3 < row["auc"]["mean"] < 0.9 and 0 < row["users"] <= 60
    assert len({row["impressions"] for row in rows}) == 1
    assert rows[0]["gain"] is None and rows[0]["paper"] is None
    base = rows[0]["gauc"]
    for row in rows[1:]:
        assert set(row["gain"]["auc"]) == GAIN and set(row["gain"]["gauc"]) == GAIN | {"users"}
        differences = [own - other for own, other in zip(row["gauc"]["values"], base["values"], strict=True)]
        assert row["gain"]["gauc"]["values"] == pytest.approx(differences)
        assert row["relative_gain"]["gauc"] == pytest.approx(sum(differences) / 2 / base["mean"])
    # The paper's own gains over IDs alone, in per cent: its table 3.
    assert rows[-1]["paper"] == {"gauc": 0.0125, "auc": 0.0075}
    assert oracle["seeds"] == [] and oracle["auc"]["mean"] > max(row["auc"]["mean"] for row in rows)


def test_epochs(first: Ran) -> None:
    rows = first[0]["epochs"]
    assert [(row["model"], row["epoch"]) for row in rows] == [
        (model, epoch) for model in ("id", "embeddings") for epoch in (1, 2)
    ]
    for row in rows:
        assert (row["gain"] is None) == (row["epoch"] == 1)
    # After one epoch it is the model of table 3, which takes no other.
    for metric in ("auc", "gauc", "logloss"):
        table3 = first[0]["table3"][0][metric]["values"]
        assert rows[0][metric]["values"] == pytest.approx(table3, abs=1e-4)
        assert rows[1][metric]["values"] != rows[0][metric]["values"]


def test_correlation(first: Ran) -> None:
    rows = first[0]["correlation"]
    assert [(row["method"], row["modality"]) for row in rows] == [
        (name, "text") for name in (*ENCODERS, "random")
    ]
    assert [row["acc@1"]["mean"] is None for row in rows] == [False, False, True]
    for row in rows:
        assert set(row["acc@1"]) == SPREAD and len(row["gauc"]["values"]) == 2
        assert set(row["gain"]["gauc"]) == GAIN | {"users"}
    # The same model and seed with other embeddings predicts something else.
    assert rows[0]["gauc"]["values"] != rows[1]["gauc"]["values"]


def test_groups(first: Ran) -> None:
    rows, table3 = first[0]["groups"], {row["method"]: row for row in first[0]["table3"]}
    groups = [row["group"] for row in rows]
    assert groups == sorted(groups, key=lambda group: 9 if group == "new" else group)
    assert sum(row["impressions"] for row in rows) == table3["id"]["impressions"]
    for row in rows:
        assert {"auc_improvement", "logloss_improvement"} <= set(row)
    # Its models are table 3's: the groups' log losses make up theirs.
    for model in ("id", "simtier_make"):
        whole = sum(row["impressions"] * row[model]["logloss"]["mean"] for row in rows)
        mean = whole / table3["id"]["impressions"]
        assert mean == pytest.approx(table3[model]["logloss"]["mean"], abs=1e-5)


def test_make_epochs(first: Ran) -> None:
    rows = first[0]["make_epochs"]
    assert [row["epochs"] for row in rows] == [0, 1, 2]
    for row in rows:
        assert (row["gain"] is None) == (row["epochs"] == 0)
    # The last one is table 3's model.
    last = next(row for row in first[0]["table3"] if row["method"] == "simtier_make")
    assert rows[-1]["gauc"] == last["gauc"]
    assert len({tuple(row["gauc"]["values"]) for row in rows}) == 3
    # MAKE by itself is figure 3's.
    embeddings = [row["gauc"] for row in first[0]["epochs"] if row["model"] == "embeddings"]
    assert [row["alone"]["gauc"] for row in rows[1:]] == embeddings


def test_the_files(experiment: Experiment, first: Ran) -> None:
    root = experiment.folder / "root"
    assert json.loads((root / "experiment.json").read_text()) == first[0]
    page = (root / "experiment.html").read_text()
    assert page.startswith("<!doctype html>") and page.count("<svg") >= 5


def test_a_repeated_command_trains_nothing(experiment: Experiment, first: Ran) -> None:
    rows, trained, shown = experiment.run(*PARTS)
    assert (rows, trained) == (first[0], [])
    trials = [line for line in shown.splitlines() if "seed" in line]
    assert len(trials) >= 28 and all(line.endswith("done before") for line in trials)


def test_only_the_missing_trial_is_done_again(experiment: Experiment, first: Ran) -> None:
    (lost,) = [path for path in experiment.results("clicks") if path.name.startswith("simtier, seed 1-")]
    lost.unlink()
    rows, trained, _ = experiment.run("table3")
    assert trained == ["simtier, seed 1"] and lost.exists()
    for row, before in zip(rows["table3"], first[0]["table3"], strict=True):
        assert row["gauc"]["values"] == pytest.approx(before["gauc"]["values"], abs=1e-3)


def test_no_modality(experiment: Experiment) -> None:
    settings = config(modalities=[], ctr={"integration": "id"}, train_recall=False)
    with pytest.raises(InputError, match="need embeddings, so `modalities` must name image, text or both"):
        experiment.run("table3", settings=settings)


@pytest.fixture(scope="module")
def ladder(experiment: Experiment) -> Ran:
    """Recall's part, of one seed."""
    return experiment.run("recall", seeds=1)


@dataclass(frozen=True)
class Clicked:
    """What the logs say of clicks, with loops and dictionaries.

    Attributes:
        trained: clicks of each item of the catalog in the training days, in the catalog's order.
        shown: the items that the training days showed.
        tested: the items that were clicked in the test days, one a click.
    """

    trained: dict[str, int]
    shown: set[str]
    tested: list[str]

    @classmethod
    def read(cls, folder: Path) -> "Clicked":
        rows = [
            row | {"timestamp": int(row["timestamp"].timestamp() * 1e6)}
            for row in pq.read_table(folder / "logs" / "impressions").to_pylist()
        ]
        shares = brute_force.Settings(0, 0, train_fraction=0.8, eval_fraction=0.1)
        train_end, eval_end = brute_force.find_ends(rows, shares)
        train = [row for row in rows if row["timestamp"] < train_end]
        counts = Counter(row["item_id"] for row in train if row["clicked"])
        # Among items of as many clicks the catalog's order decides.
        (catalog,) = (folder / "root" / "artifacts" / "LogIngest" / "catalog").iterdir()
        items = pq.read_table(sorted(catalog.glob("*.parquet")), columns=["item_id"])["item_id"].to_pylist()
        return cls(
            {item: counts[item] for item in items},
            {row["item_id"] for row in train},
            [row["item_id"] for row in rows if row["timestamp"] >= eval_end and row["clicked"]],
        )

    @property
    def tail(self) -> set[str]:
        """The items outside those that have 80 % of all clicks."""
        counts = self.trained.values()
        return {
            item
            for item, own in self.trained.items()
            if sum(other for other in counts if other > own) >= 0.8 * sum(counts)
        }

    @property
    def groups(self) -> list[list[str]]:
        """The clicked items of the test days: all, those of the tail, the new ones."""
        tail, new = self.tail, set(self.trained) - self.shown
        return [
            self.tested,
            [item for item in self.tested if item in tail],
            [item for item in self.tested if item in new],
        ]

    def shares(self, recalled: set[str]) -> list[float]:
        """How many of each group's clicks are on recalled items."""
        return [sum(item in recalled for item in group) / len(group) for group in self.groups]


def test_recall(experiment: Experiment, ladder: Ran) -> None:
    rows = ladder[0]["recall"]
    assert ladder[1] == [f"recall {fusion}, seed 0" for fusion in FUSIONS]
    assert [row["fusion"] for row in rows] == ["popular", *FUSIONS]
    clicked = Clicked.read(experiment.folder)
    for row in rows:
        assert row["k"] == 20 and list(row["clicks"].values()) == [len(group) for group in clicked.groups]
    most = sorted(clicked.trained, key=lambda item: -clicked.trained[item])[:20]
    expected = clicked.shares(set(most))
    assert expected[0] > 0 and [rows[0][name]["mean"] for name in SHARES] == pytest.approx(expected)
    # What the ladder counts again from kept ranks is what was measured when they were made.
    figures = {}
    for path in experiment.results("recall"):
        kept = json.loads(path.read_text())
        stages = kept["figures"]["stages"]["staged"]
        figures[path.name.split(",")[0]] = [
            stages[group]["click_recall"]["20"] for group in ("all", "long_tail", "new")
        ]
    for row in rows[1:]:
        assert [row[name]["values"] for name in SHARES] == [
            [share] for share in figures[f"recall {row['fusion']}"]
        ]


def test_recall_above_ids(ladder: Ran) -> None:
    popular, ids, gated = ladder[0]["recall"]
    assert popular["above"] == ids["above"] == {} and list(gated["above"]) == ["id"]
    for name in SHARES:
        found = gated["above"]["id"][name]
        assert found["values"] == pytest.approx([gated[name]["mean"] - ids[name]["mean"]])
        assert (found["std"], found["low"], found["high"]) == (None, None, None), "one seed"
        assert found["users"]["low"] <= found["mean"] <= found["users"]["high"]


def test_recall_gate(experiment: Experiment, ladder: Ran) -> None:
    popular, ids, gated = ladder[0]["recall"]
    assert popular["gate"] is None and ids["gate"] is None
    # Bucket b has the items of 2^(b-1) up to 2^b - 1 clicks: those whose clicks have b binary digits.
    items = Counter(clicks.bit_length() for clicks in Clicked.read(experiment.folder).trained.values())
    assert [bucket["items"] for bucket in gated["gate"]] == [items[b] for b in range(max(items) + 1)]
    assert [bucket["clicks"] for bucket in gated["gate"]] == [0, *(2**b for b in range(max(items)))]
    for bucket in gated["gate"]:
        assert 1 / 8 <= bucket["id"]["mean"] <= 8 and 1 / 8 <= bucket["content"]["mean"] <= 8
        assert 0 <= bucket["content_share"]["mean"] <= 1
    assert len({bucket["id"]["mean"] for bucket in gated["gate"]}) > 1, "weights that were learned"


def test_recall_in_the_files_and_again(experiment: Experiment, ladder: Ran) -> None:
    root = experiment.folder / "root"
    assert json.loads((root / "experiment.json").read_text())["recall"] == ladder[0]["recall"]
    assert "Recall: from IDs alone to gated experts" in (root / "experiment.html").read_text()
    rows, trained, _ = experiment.run("recall", seeds=1)
    assert (rows, trained) == (ladder[0], [])
