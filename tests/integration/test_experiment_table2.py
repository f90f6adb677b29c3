"""`adlens experiment` over small logs: all methods, the files, and a repeated command."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import cli, lineage
from pipeline.config import RunConfig, override
from pipeline.experiment.runner import run_experiment
from pipeline.experiment.table2.trial import Trial
from pipeline.pipeline import PIPELINE_NAME
from pipeline.presets import preset
from pipeline.root import Root
from sources.marketplace.presets import PRESETS
from sources.marketplace.simulate import simulate
from transforms.input_error import InputError
from transforms.pair_difficulty import DIFFICULTIES

METHODS = ["backbone", "title_image", "scl", "scl_without_triplet", "scl_without_triplet_and_bank"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("experiment")
    simulate(PRESETS["tiny"], made / "logs", lambda *_: None)
    return made


def config(**text_encoder: Any) -> RunConfig:
    values = {"modalities": ["text"], "text_encoder": {"epochs": 1, **text_encoder}}
    return override(preset("tiny"), values)


def experiment(folder: Path, settings: RunConfig, seeds: int = 1) -> tuple[dict[str, Any], str]:
    """Rows and what was shown."""
    out = io.StringIO()
    logs, root = str(folder / "logs"), str(folder / "root")
    return run_experiment(
        logs, root, settings, ["table2"], [], seeds, "adlens experiment …", out
    ), out.getvalue()


@pytest.fixture(scope="module")
def first(folder: Path) -> dict[str, Any]:
    return experiment(folder, config())[0]


def no_result(trial: Trial, *_: Any) -> dict[str, Any]:
    """Stands for a training."""
    part = {"pairs": 1, "acc@1": 0.5, "acc@5": 0.5}
    figures = ("alignment", "uniformity", "random_cosine", "seconds", "temperature")
    result = {
        "method": trial.method.name,
        "modality": trial.modality,
        "seed": trial.config.seed,
        **part,
        "candidates": 1,
        "slices": dict.fromkeys(DIFFICULTIES, part),
        "steps": 1,
        **dict.fromkeys(figures, 0.0),
    }
    return {trial.modality: result}


def test_every_method_is_measured_on_the_same_pairs(folder: Path, first: dict[str, Any]) -> None:
    rows = first["table2"]
    assert [row["method"] for row in rows] == METHODS
    counts = json.loads(next(folder.glob("root/artifacts/LogIngest/rejects/*/counts.json")).read_text())
    for row in rows:
        assert row["pairs"] == sum(part["pairs"] for part in row["slices"].values())
        assert 0 < row["pairs"] <= counts["query_pairs"]["test"]
        assert 0 <= row["acc@1"]["mean"] <= row["acc@5"]["mean"] <= 1
    # All trained methods take the same steps, the backbone none.
    steps = [row["steps"]["mean"] for row in rows]
    assert steps[0] == 0 and steps[1] > 0 and len(set(steps[1:])) == 1


def test_the_files(folder: Path, first: dict[str, Any]) -> None:
    root = folder / "root"
    assert json.loads((root / "experiment.json").read_text()) == first
    page = (root / "experiment.html").read_text()
    assert "0.7474" in page and "adlens experiment …" in page and "vocabulary_size" in page
    results = sorted((root / "experiment" / "table2").glob("*.json"))
    assert [path.name.rsplit("-", 1)[0] for path in results] == sorted(
        f"{method}-text-seed0" for method in METHODS
    )
    assert not [path for path in (root / "checkpoints").rglob("*") if path.is_file()]


def test_every_trial_keeps_the_catalogs_vectors(folder: Path, first: dict[str, Any]) -> None:
    kept = folder / "root" / "experiment" / "table2"
    names = [json.loads(path.read_text())["vectors"] for path in sorted(kept.glob("*.json"))]
    assert len(set(names)) == len(METHODS)
    for name in names:
        vectors = np.load(kept / name)
        # 150 items, all with a title; vectors of the preset's 32 dimensions.
        assert vectors.shape == (150, 32) and vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_a_repeated_command_does_what_is_missing(
    folder: Path, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(Trial, "run", lambda trial, *_: done.append(trial.title) or no_result(trial))
    again, shown = experiment(folder, config())
    assert (done, again) == ([], first)
    assert shown.count("done before") >= len(METHODS)
    experiment(folder, config(), seeds=2)
    assert done == [f"{method}-text-seed1" for method in METHODS]
    done.clear()
    experiment(folder, config(triplet_margin=0.3))
    # The margin is nothing to the backbone alone, but it is a value of its configuration.
    assert done == [f"{method}-text-seed0" for method in METHODS]


def test_ingest_is_that_of_a_run(folder: Path, first: dict[str, Any]) -> None:
    store = lineage.open_store(Root(str(folder / "root")))
    outputs = lineage.last_outputs(store, PIPELINE_NAME, "LogIngest")
    assert Path(outputs["query_pairs"]) == folder / "root" / "artifacts" / "LogIngest" / "query_pairs" / "1"
    # However often the experiment asked for it, it was made once.
    assert [path.name for path in Path(outputs["query_pairs"]).parent.iterdir()] == ["1"]


def test_no_modality(folder: Path) -> None:
    with pytest.raises(InputError, match="`modalities` must name image, text or both"):
        values = {"modalities": [], "ctr": {"integration": "id"}, "train_recall": False}
        experiment(folder, override(config(), values))


def test_no_logs(folder: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["experiment", "--root", str(folder / "other"), "--preset", "tiny"]
    assert cli.main([*arguments, "--logs", str(folder / "absent")]) == 1
    assert str(folder / "absent") in capsys.readouterr().err.splitlines()[-1]
