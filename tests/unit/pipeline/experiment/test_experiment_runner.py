"""What a call writes, and what it keeps of the calls before."""

import io
import json
from pathlib import Path

import pytest
from rich import box
from rich.table import Table

from components.report.markup import Markup, tag
from pipeline.config import RunConfig, override
from pipeline.experiment import runner
from pipeline.experiment.bench import Bench
from pipeline.experiment.ingested import Ingested
from pipeline.experiment.part import Part
from pipeline.experiment.rows import Rows


class Counting:
    """A part whose rows say how often it ran."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.runs = 0
        self.folders: list[str] = []

    def part(self, trials: str | None = None) -> Part:
        return Part(self.name, self.run, self.tables, self.section, trials)

    def run(self, bench: Bench) -> Rows:
        self.runs += 1
        self.folders.append(bench.store.folder)
        return [{"part": self.name, "runs": self.runs}]

    def tables(self, rows: Rows, style: box.Box) -> list[Table]:
        return [Table(title=f"{self.name} {rows[0]['runs']}")]

    def section(self, rows: Rows) -> Markup:
        return tag("section", f"{self.name} ran {rows[0]['runs']}")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counting]:
    found = {name: Counting(name) for name in ("table2", "table3", "groups")}
    made = {name: one.part(None if name == "table2" else "clicks") for name, one in found.items()}
    monkeypatch.setattr(runner, "PARTS", made)
    monkeypatch.setattr(
        Ingested, "make", classmethod(lambda cls, logs, places, config, out: cls("", "", "", "", logs))
    )
    return found


def call(
    root: Path, names: list[str], logs: str = "logs", config: RunConfig | None = None
) -> dict[str, Rows]:
    return runner.run_experiment(
        logs, str(root), config or RunConfig(), names, [], 1, "adlens experiment", io.StringIO()
    )


def written(root: Path) -> dict[str, Rows]:
    return json.loads((root / "experiment.json").read_text())


def test_only_replaces_one_part_and_leaves_the_others(tmp_path: Path, parts: dict[str, Counting]) -> None:
    assert list(call(tmp_path, ["table3", "table2"])) == ["table2", "table3"]
    found = call(tmp_path, ["table3"])
    assert found == {"table3": [{"part": "table3", "runs": 2}]}
    assert [(name, rows[0]["runs"]) for name, rows in written(tmp_path).items()] == [
        ("table2", 1),
        ("table3", 2),
    ]
    page = (tmp_path / "experiment.html").read_text()
    assert page.index("table2 ran 1") < page.index("table3 ran 2")
    # A part made later takes the paper's place.
    call(tmp_path, ["groups"])
    call(tmp_path, ["table2"])
    assert list(written(tmp_path)) == ["table2", "table3", "groups"]


def test_other_logs_or_configurations_are_not_mixed_in(tmp_path: Path, parts: dict[str, Counting]) -> None:
    call(tmp_path, ["table2", "table3"])
    call(tmp_path, ["table3"], logs="other")
    assert list(written(tmp_path)) == ["table3"]
    call(tmp_path, ["groups"], config=override(RunConfig(), {"ctr": {"batch_size": 7}}))
    assert list(written(tmp_path)) == ["groups"]
    assert "table3" not in (tmp_path / "experiment.html").read_text()
    # What was not made again is there when its logs and configuration are back.
    call(tmp_path, ["groups"])
    assert list(written(tmp_path)) == ["table2", "groups"]


def test_what_is_done_is_written_before_the_next_part(
    tmp_path: Path, parts: dict[str, Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(bench: Bench) -> Rows:
        raise RuntimeError("killed")

    monkeypatch.setitem(
        runner.PARTS, "table3", Part("table3", fail, parts["table3"].tables, parts["table3"].section)
    )
    with pytest.raises(RuntimeError, match="killed"):
        call(tmp_path, ["table2", "table3"])
    assert list(written(tmp_path)) == ["table2"]


def test_parts_may_share_their_trials(tmp_path: Path, parts: dict[str, Counting]) -> None:
    call(tmp_path, ["table2", "table3", "groups"])
    assert parts["table3"].folders == parts["groups"].folders == [str(tmp_path / "experiment" / "clicks")]
    assert parts["table2"].folders == [str(tmp_path / "experiment" / "table2")]
