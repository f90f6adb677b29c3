"""Input that people get wrong ends in one line that says what, or in a reject that says why."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from brute_force import iso
from odd_images import png_bomb
from small_logs import (
    BASE,
    HOUR,
    LOG_NAMES,
    MINUTE,
    SCHEMAS,
    Row,
    good_logs,
    noise_picture,
    one_file,
    picture,
    write_logs,
)

from pipeline.cli import main

Logs = dict[str, list[Row]]
LOG_END = BASE + 10 * HOUR
# No user columns in these logs; up to half of the rows may be bad, so that a reject alone stops nothing.
QUIET = [
    "--preset",
    "movielens",
    "--set",
    f"ingest.log_end={iso(LOG_END)}",
    "--set",
    "ingest.max_reject_fraction=0.5",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Flawless logs in files, for a test to spoil."""
    return write_logs(tmp_path / "logs", {log: one_file(rows) for log, rows in good_logs().items()})


def check(folder: Path, *arguments: str) -> int:
    return main(["check", "--logs", str(folder), *(arguments or QUIET)])


def assert_one_line(capfd: pytest.CaptureFixture, *words: str) -> None:
    """Standard error has one line, the command's own, with these words."""
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("adlens: ")
    for word in words:
        assert word in lines[0]


def part(folder: Path, log: str) -> Path:
    return folder / log / "part-000.parquet"


def rewrite(folder: Path, log: str, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(part(folder, log))), part(folder, log))


# --- Files and columns -------------------------------------------------------------------------------------


def test_good_logs_pass(folder: Path, capfd: pytest.CaptureFixture) -> None:
    assert check(folder) == 0
    output = capfd.readouterr()
    assert output.err == ""
    # Read, used and rejected of the only log with 60 rows.
    assert re.search(r"impressions\D+60\D+60\D+0\D", output.out)


def test_no_logs_at_all(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    assert check(tmp_path / "absent") == 1
    assert_one_line(capfd, "catalog", "expected Parquet files below", "absent/catalog", "found none")


@pytest.mark.parametrize("log", LOG_NAMES)
def test_missing_file(folder: Path, log: str, capfd: pytest.CaptureFixture) -> None:
    part(folder, log).unlink()
    assert check(folder) == 1
    assert_one_line(capfd, f"{log}: expected Parquet files below", f"logs/{log}")


@pytest.mark.parametrize("log", LOG_NAMES)
def test_missing_column(folder: Path, log: str, capfd: pytest.CaptureFixture) -> None:
    column = {
        "catalog": "image",
        "impressions": "clicked",
        "searches": "query_text",
        "purchases": "search_id",
    }[log]
    rewrite(folder, log, lambda table: table.drop_columns([column]))
    assert check(folder) == 1
    assert_one_line(capfd, log, "part-000.parquet", f"has no column {column}")


@pytest.mark.parametrize(
    ("log", "column", "kind"),
    [
        ("catalog", "image", pa.string()),
        ("impressions", "clicked", pa.int64()),
        ("impressions", "timestamp", pa.int64()),
        ("searches", "clicked_item_ids", pa.string()),
        ("purchases", "user_id", pa.int64()),
    ],
)
def test_wrong_type(
    folder: Path, log: str, column: str, kind: pa.DataType, capfd: pytest.CaptureFixture
) -> None:
    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column)
        return table.set_column(place, column, pa.array(["7"] * table.num_rows).cast(kind))

    rewrite(folder, log, change)
    assert check(folder) == 1
    assert_one_line(capfd, log, "part-000.parquet", f"column {column} must be", f"got {kind}")


def test_timestamp_without_zone(folder: Path, capfd: pytest.CaptureFixture) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(3, "timestamp", table.column("timestamp").cast(pa.timestamp("us")))

    rewrite(folder, "impressions", change)
    assert check(folder) == 1
    assert_one_line(capfd, "column timestamp must be timestamp[us, tz=UTC]", "got timestamp[us]")


def test_column_of_a_configured_feature_is_missing(folder: Path, capfd: pytest.CaptureFixture) -> None:
    # The demo's features are gender, age_group, city and placement.
    assert check(folder, "--preset", "demo") == 1
    assert_one_line(capfd, "impressions", "has no column gender", "ingest.features")


@pytest.mark.parametrize("log", LOG_NAMES)
def test_empty_log(folder: Path, log: str, capfd: pytest.CaptureFixture) -> None:
    rewrite(folder, log, lambda table: table.slice(0, 0))
    assert check(folder) == 1
    assert_one_line(capfd, f"{log}: expected at least one row below", "found none")


@pytest.mark.parametrize("log", LOG_NAMES)
def test_truncated_file(folder: Path, log: str, capfd: pytest.CaptureFixture) -> None:
    data = part(folder, log).read_bytes()
    part(folder, log).write_bytes(data[: len(data) * 2 // 3])
    assert check(folder) == 1
    assert_one_line(capfd, log, "part-000.parquet is no readable Parquet file")


def test_a_file_of_another_format(folder: Path, capfd: pytest.CaptureFixture) -> None:
    part(folder, "searches").write_text("search_id,user_id\nq1,ann\n")
    assert check(folder) == 1
    assert_one_line(capfd, "searches", "part-000.parquet is no readable Parquet file")


def test_damaged_within(folder: Path, capfd: pytest.CaptureFixture) -> None:
    """The footer is whole, the compressed pages of a column are not."""
    data = bytearray(part(folder, "impressions").read_bytes())
    column = pq.ParquetFile(part(folder, "impressions")).metadata.row_group(0).column(0)
    start, length = column.dictionary_page_offset, column.total_compressed_size
    data[start : start + length] = b"\xff" * length
    part(folder, "impressions").write_bytes(bytes(data))
    assert check(folder) == 1
    assert_one_line(capfd, "impressions", "part-000.parquet", "cannot be read from row 0")


def test_text_that_is_no_utf8(folder: Path, capfd: pytest.CaptureFixture) -> None:
    """Damage within an uncompressed page looks like text of the right length."""
    pq.write_table(pq.read_table(part(folder, "purchases")), part(folder, "purchases"), compression="none")
    data = part(folder, "purchases").read_bytes()
    assert b"bob" in data
    part(folder, "purchases").write_bytes(data.replace(b"bob", b"b\xffb"))
    assert check(folder) == 1
    assert_one_line(capfd, "purchases", "part-000.parquet", "cannot be read", "UTF8")


# --- Rows --------------------------------------------------------------------------------------------------


def spoil(log: str, **values: object) -> Callable[[Logs], None]:
    """Sets columns of a log's last row."""
    return lambda logs: logs[log][-1].update(values)


def repeat(log: str) -> Callable[[Logs], None]:
    return lambda logs: logs[log].append(dict(logs[log][-1]))


FUTURE = LOG_END + 1
BROKEN = noise_picture()[:500]
REJECTS = {
    "null item": (spoil("catalog", item_id=None), "catalog", "null_key"),
    "empty item": (spoil("catalog", item_id=""), "catalog", "null_key"),
    "null user": (spoil("impressions", user_id=None), "impressions", "null_key"),
    "null impression": (spoil("impressions", impression_id=None), "impressions", "null_key"),
    "null search": (spoil("searches", search_id=None), "searches", "null_key"),
    "null purchase": (spoil("purchases", purchase_id=None), "purchases", "null_key"),
    "null bought item": (spoil("purchases", item_id=None), "purchases", "null_key"),
    "same item twice": (repeat("catalog"), "catalog", "duplicate_id"),
    "same impression twice": (repeat("impressions"), "impressions", "duplicate_id"),
    "same search twice": (repeat("searches"), "searches", "duplicate_id"),
    "same purchase twice": (repeat("purchases"), "purchases", "duplicate_id"),
    "unknown shown item": (spoil("impressions", item_id="gone"), "impressions", "unknown_item"),
    "unknown bought item": (spoil("purchases", item_id="gone"), "purchases", "unknown_item"),
    "item of the future": (spoil("catalog", created_at=FUTURE), "catalog", "time_outside_log"),
    "impression of the future": (spoil("impressions", timestamp=FUTURE), "impressions", "time_outside_log"),
    "search of the future": (spoil("searches", timestamp=FUTURE), "searches", "time_outside_log"),
    "purchase of the future": (spoil("purchases", timestamp=FUTURE), "purchases", "time_outside_log"),
    "impression of 1970": (spoil("impressions", timestamp=0), "impressions", "time_outside_log"),
    "impression without time": (spoil("impressions", timestamp=None), "impressions", "null_timestamp"),
    "search without time": (spoil("searches", timestamp=None), "searches", "null_timestamp"),
    "purchase without time": (spoil("purchases", timestamp=None), "purchases", "null_timestamp"),
    "impression without label": (spoil("impressions", clicked=None), "impressions", "null_label"),
    "search for nothing": (spoil("searches", query_text=None, query_image=None), "searches", "no_query"),
    "broken picture": (spoil("catalog", image=BROKEN), "catalog", "unreadable_image"),
    "no picture": (spoil("catalog", image=b"<html>"), "catalog", "unreadable_image"),
    "another format": (spoil("catalog", image=picture(0, image_format="GIF")), "catalog", "unreadable_image"),
    "broken query picture": (spoil("searches", query_image=BROKEN), "searches", "unreadable_image"),
    "gigantic picture": (spoil("catalog", image=png_bomb(60_000, 60_000)), "catalog", "oversized_image"),
    "gigantic query": (
        spoil("searches", query_image=png_bomb(60_000, 60_000)),
        "searches",
        "oversized_image",
    ),
    "gigantic file": (spoil("catalog", image=bytes(20_000_001)), "catalog", "oversized_image"),
}


@pytest.fixture(scope="module")
def reject_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the check says of each kind of bad row: all kinds in one log, each in a file of its own."""
    from pipeline.check import check_logs
    from transforms.ingest_config import IngestConfig

    where = tmp_path_factory.mktemp("rejects") / "logs"
    files: dict[str, list[list[list[Row]]]] = {log: one_file(rows) for log, rows in good_logs().items()}
    places: dict[str, tuple[str, str]] = {}
    for kind, (change, log, _) in REJECTS.items():
        logs = good_logs()
        before = [dict(row) for row in logs[log]]
        change(logs)
        bad = [row for place, row in enumerate(logs[log]) if place >= len(before) or row != before[place]]
        assert len(bad) == 1
        places[kind] = log, f"part-{len(files[log]):03d}.parquet"
        files[log].append([bad])
    write_logs(where, files)
    config = IngestConfig(features=(), log_end=iso(LOG_END), max_reject_fraction=1.0)
    counts = check_logs(str(where), config)
    found: dict[str, list[str]] = {}
    for kind, (log, name) in places.items():
        found[kind] = [
            f"{log} {reason} {count}"
            for reason, by_file in counts["reject_files"].get(log, {}).items()
            for file, count in by_file.items()
            if file.endswith(f"/{log}/{name}")
        ]
    good = good_logs()
    for log, rows in good.items():
        rejected = sum(counts["rejects"][log].values())
        assert counts["used"][log] == len(rows)
        assert counts["read"][log] == counts["used"][log] + rejected
    return found


@pytest.mark.parametrize("kind", REJECTS)
def test_a_bad_row_is_a_reject_with_its_reason(kind: str, reject_lines: dict[str, list[str]]) -> None:
    _, log, reason = REJECTS[kind]
    assert reject_lines[kind] == [f"{log} {reason} 1"]


def test_the_reason_and_the_worst_file_are_printed(folder: Path, capfd: pytest.CaptureFixture) -> None:
    logs = good_logs()
    spoil("purchases", item_id="gone")(logs)
    write_logs(folder, {"purchases": [[logs["purchases"][:5]], [logs["purchases"][5:]]]})
    assert check(folder) == 0
    output = capfd.readouterr()
    assert output.err == ""
    text = " ".join(output.out.split())
    assert "purchases: unknown_item 1, of these 1 in" in text
    assert "part-001.parquet" in text


def test_too_many_rejects(folder: Path, capfd: pytest.CaptureFixture) -> None:
    logs = good_logs()
    for row in logs["impressions"][:12]:
        row["item_id"] = "gone"
    write_logs(folder, {"impressions": one_file(logs["impressions"])})
    assert check(folder, *QUIET, "--set", "ingest.max_reject_fraction=0.1") == 1
    # 12 of 60 are a fifth.
    assert_one_line(
        capfd, "impressions: 12 of 60 rows", "unknown_item 12", "max_reject_fraction 0.1", "part-000.parquet"
    )


def test_a_catalog_of_which_nothing_is_left(folder: Path, capfd: pytest.CaptureFixture) -> None:
    rows = [row | {"item_id": None} for row in good_logs()["catalog"]]
    write_logs(folder, {"catalog": one_file(rows)})
    assert check(folder) == 1
    assert_one_line(capfd, "catalog: 6 of 6 rows", "null_key 6")


# --- Configuration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "ctr.batchsize=5"], ["unknown key ctr.batchsize", "did you mean batch_size?"]),
        (["--set", "ingset.max_behaviors=5"], ["unknown key ingset", "did you mean ingest?"]),
        (["--set", "ctr.batch_size=many"], ["ctr.batch_size must be a whole number", "'many'"]),
        (["--set", "ctr.batch_size=0"], ["ctr.batch_size must be at least 1", "0"]),
        (["--set", "ingest.train_fraction=1.5"], ["ingest.train_fraction must lie between 0 and 1", "1.5"]),
        (["--set", "ingest.log_end=soon"], ["ingest.log_end must be an ISO time", "'soon'"]),
        (
            ["--set", "ingest.features=[{name: city, kind: di}]"],
            ["feature city: kind must be one of", "'di'"],
        ),
        (["--set", "ingest.features=[{kind: id}]"], ["ingest.features[0] needs name"]),
        (["--set", "ingest.max_behaviors"], ["--set expects key=value", "'ingest.max_behaviors'"]),
        (["--set", "ctr.mlp_units=[1,"], ["--set ctr.mlp_units", "no YAML value"]),
        (["--config", "absent.yaml"], ["config absent.yaml cannot be read", "No such file"]),
    ],
)
def test_bad_configuration(
    folder: Path, arguments: list[str], words: list[str], capfd: pytest.CaptureFixture
) -> None:
    assert check(folder, *arguments) == 1
    assert_one_line(capfd, *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("ctr: [1, 2\nx: 3", ["config.yaml is no YAML"]),
        ("- ctr", ["config.yaml must hold keys and values", "list"]),
        ("", ["config.yaml must hold keys and values"]),
        ("evaluater:\n  gate: auc", ["unknown key evaluater", "did you mean evaluator?"]),
        ("ctr: fast", ["ctr must be a mapping"]),
    ],
)
def test_bad_configuration_file(
    folder: Path, tmp_path: Path, content: str, words: list[str], capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    assert check(folder, "--config", str(path)) == 1
    assert_one_line(capfd, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--logs", "x", "--preset", "huge"], ["--preset", "'huge'", "tiny"]),
        (["check"], ["required", "--logs"]),
        (["run", "--logs", "x"], ["required", "--root"]),
        (["chek"], ["'chek'", "check"]),
    ],
)
def test_wrong_command_lines(arguments: list[str], words: list[str], capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    error = capfd.readouterr().err
    assert "Traceback" not in error
    for word in words:
        assert word in error


def test_debug_shows_the_traceback(folder: Path) -> None:
    part(folder, "catalog").unlink()
    with pytest.raises(ValueError, match="expected Parquet files"):
        main(["check", "--debug", "--logs", str(folder), *QUIET])


# --- Logs whose rows are good and yet not enough -----------------------------------------------------------


def ingest(logs: Logs, where: Path, **settings: object) -> dict:
    """What the LogIngest component makes of logs: its counts, looked over as the component does."""
    from tfx.types import standard_artifacts

    from components import artifacts
    from components.log_ingest.executor import Executor
    from transforms.configuration import to_json
    from transforms.ingest_config import IngestConfig

    write_logs(where / "logs", {log: one_file(rows) for log, rows in logs.items()})
    outputs = {
        "examples": standard_artifacts.Examples(),
        "query_pairs": artifacts.QueryPairs(),
        "catalog": artifacts.Catalog(),
        "item_stats": artifacts.ItemStats(),
        "rejects": artifacts.Rejects(),
    }
    for name, artifact in outputs.items():
        artifact.uri = str(where / name)
    config = IngestConfig(features=(), log_end=iso(LOG_END), **settings)  # type: ignore[arg-type]
    properties = {"logs": str(where / "logs"), "fingerprint": "", "config": to_json(config)}
    Executor(
        Executor.Context(beam_pipeline_args=["--runner=DirectRunner", "--direct_running_mode=in_memory"])
    ).Do({}, {name: [artifact] for name, artifact in outputs.items()}, properties)
    assert outputs["examples"].split_names == '["train", "eval", "test"]'
    return json.loads((where / "rejects" / "counts.json").read_text())


def mistake(logs: Logs, where: Path, **settings: object) -> str:
    """The line that a run of the logs ends with."""
    from pipeline.progress import find_input_error

    with pytest.raises(Exception) as caught:
        ingest(logs, where, **settings)
    found = find_input_error(caught.value)
    assert found is not None
    assert "\n" not in str(found)
    return str(found)


def test_one_user_works(tmp_path: Path) -> None:
    logs = good_logs()
    for log in ("impressions", "searches", "purchases"):
        for row in logs[log]:
            row["user_id"] = "ann"
    counts = ingest(logs, tmp_path)
    # Of 60 impressions, one a minute, eight tenths are 48 and one tenth is 6.
    assert counts["splits"] == {"train": 48, "eval": 6, "test": 6}
    assert counts["used"]["impressions"] == 60


def test_no_clicks(tmp_path: Path) -> None:
    logs = good_logs()
    for row in logs["impressions"]:
        row["clicked"] = False
    line = mistake(logs, tmp_path)
    assert "impressions: the train split has 48 impressions and no clicks" in line


@pytest.mark.parametrize(
    ("clicked", "word"), [(False, "no clicks"), (True, "no impressions without a click")]
)
def test_one_class_in_eval(tmp_path: Path, clicked: bool, word: str) -> None:
    logs = good_logs()
    for row in logs["impressions"][48:54]:
        row["clicked"] = clicked
    assert f"the eval split has 6 impressions and {word}" in mistake(logs, tmp_path)


def test_all_in_one_minute(tmp_path: Path) -> None:
    logs = good_logs()
    for row in logs["impressions"]:
        row["timestamp"] = BASE
    line = mistake(logs, tmp_path)
    assert "split would be empty" in line
    assert "set ingest.train_end and ingest.eval_end" in line


def test_ends_of_splits_outside_the_log(tmp_path: Path) -> None:
    line = mistake(good_logs(), tmp_path, train_end="2020-01-01", eval_end=iso(BASE + 30 * MINUTE))
    assert "the train split would be empty" in line
    assert "2024-03-01" in line


def test_too_many_rejects_stop_the_ingest(tmp_path: Path) -> None:
    logs = good_logs()
    for row in logs["searches"][:5]:
        row["user_id"] = None
    line = mistake(logs, tmp_path)
    assert "searches: 5 of 10 rows cannot be used (null_key 5)" in line


def test_no_row_of_a_log_can_be_used(tmp_path: Path) -> None:
    logs = good_logs()
    for row in logs["catalog"]:
        row["item_id"] = ""
    assert "impressions: expected rows that can be used, found none" in mistake(logs, tmp_path)


def test_schemas_here_are_those_of_the_contract() -> None:
    from transforms.logs import LOGS

    assert {
        spec.name: dict(zip(spec.schema.names, spec.schema.types, strict=True)) for spec in LOGS
    } == SCHEMAS
