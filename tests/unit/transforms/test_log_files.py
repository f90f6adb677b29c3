from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_logs import BASE, SECOND, write_log

from transforms.feature import Feature
from transforms.input_error import InputError
from transforms.log_files import find_log_files
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES
from transforms.period import Period

ROW = {"purchase_id": "p", "user_id": "u", "item_id": "i", "timestamp": BASE, "search_id": None}


def purchases(folder: Path, **columns: pa.Array) -> Path:
    """A log of one purchase, with other columns put in."""
    (folder / "purchases").mkdir(parents=True)
    names = {
        "purchase_id": pa.array(["p"]),
        "user_id": pa.array(["u"]),
        "item_id": pa.array(["i"]),
        "timestamp": pa.array([BASE], pa.timestamp("us", tz="UTC")),
        "search_id": pa.array(["q"]),
    }
    pq.write_table(pa.table(names | columns), folder / "purchases" / "part.parquet")
    return folder


def test_files_come_by_path_with_the_rows_of_their_row_groups(tmp_path: Path) -> None:
    write_log(tmp_path, "purchases", [[[ROW] * 3, [ROW] * 2], [[ROW]]])
    nested = tmp_path / "purchases" / "day=1"
    nested.mkdir()
    (tmp_path / "purchases" / "part-001.parquet").rename(nested / "part.parquet")
    files = find_log_files(str(tmp_path), PURCHASES)
    assert [(Path(file.path).name, file.rows) for file in files] == [
        ("part.parquet", (1,)),
        ("part-000.parquet", (3, 2)),
    ]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("user_id", pa.array(["u"]).dictionary_encode()),
        ("user_id", pa.array(["u"], pa.large_string())),
        ("search_id", pa.nulls(1)),
        ("timestamp", pa.array([BASE * 1000], pa.timestamp("ns", tz="UTC"))),
        ("timestamp", pa.array([BASE // 1000], pa.timestamp("ms", tz="UTC"))),
    ],
)
def test_other_widths_and_units_are_read(tmp_path: Path, name: str, column: pa.Array) -> None:
    assert len(find_log_files(str(purchases(tmp_path, **{name: column})), PURCHASES)) == 1


@pytest.mark.parametrize(
    ("name", "column", "words"),
    [
        ("user_id", pa.array([7]), ["column user_id must be string, got int64"]),
        (
            "timestamp",
            pa.array(["2024-01-01"]),
            ["column timestamp must be timestamp[us, tz=UTC], got string"],
        ),
        ("timestamp", pa.array([BASE], pa.timestamp("us")), ["timestamp[us, tz=UTC], got timestamp[us]"]),
        (
            "timestamp",
            pa.array([BASE], pa.timestamp("us", tz="Asia/Shanghai")),
            ["got timestamp[us, tz=Asia/Shanghai]"],
        ),
    ],
)
def test_wrong_types(tmp_path: Path, name: str, column: pa.Array, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        find_log_files(str(purchases(tmp_path, **{name: column})), PURCHASES)
    for word in [*words, "purchases", "part.parquet"]:
        assert word in str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="catalog: expected Parquet files below .*/catalog, found none"):
        find_log_files(str(tmp_path), CATALOG)


def test_no_rows(tmp_path: Path) -> None:
    write_log(tmp_path, "purchases", [[[]], []])
    with pytest.raises(InputError, match="purchases: expected at least one row below"):
        find_log_files(str(tmp_path), PURCHASES)


@pytest.mark.parametrize("keep", [0, 3, 0.5, -1])
def test_truncated(tmp_path: Path, keep: float) -> None:
    (path,) = write_log(tmp_path, "purchases", [[[ROW] * 100]])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match=r"purchases: .*part-000.parquet is no readable Parquet file: \S"):
        find_log_files(str(tmp_path), PURCHASES)


def test_a_feature_without_its_column(tmp_path: Path) -> None:
    write_log(tmp_path, "impressions", [[[{"impression_id": "m"}]]])
    with pytest.raises(
        InputError, match=r"no column gender \(named in ingest.features\); it has impression_id"
    ):
        find_log_files(str(tmp_path), IMPRESSIONS, [Feature("gender")])


def test_a_feature_of_another_log_is_not_looked_for(tmp_path: Path) -> None:
    write_log(tmp_path, "impressions", [[[{"impression_id": "m"}]]])
    assert find_log_files(str(tmp_path), IMPRESSIONS, [Feature("brand", side="item")])


def test_a_feature_of_another_type(tmp_path: Path) -> None:
    write_log(tmp_path, "impressions", [[[{"impression_id": "m"}]]], {"age": pa.string()})
    with pytest.raises(InputError, match="column age must be float, got string"):
        find_log_files(str(tmp_path), IMPRESSIONS, [Feature("age", kind="numeric")])


def at(*seconds: int | None) -> list[dict]:
    """Purchases at so many seconds after BASE."""
    return [ROW | {"timestamp": None if second is None else BASE + second * SECOND} for second in seconds]


def test_files_and_row_groups_of_another_time_are_left_out(tmp_path: Path) -> None:
    # Of [10 s, 20 s): a row group before it, one that ends at 10, one that begins at 20, one across; a file after it.
    write_log(tmp_path, "purchases", [[at(1, 9), at(5, 10), at(20, 30), at(5, 25)], [at(20, 21)]])
    (file,) = find_log_files(str(tmp_path), PURCHASES, (), Period(BASE + 10 * SECOND, BASE + 20 * SECOND))
    assert (Path(file.path).name, file.groups, file.rows_to_read) == ("part-000.parquet", (1, 3), 4)
    (whole,) = find_log_files(str(tmp_path), PURCHASES, (), Period(None, BASE + 10 * SECOND))
    assert whole.groups == (0, 1, 3)
    assert find_log_files(str(tmp_path), PURCHASES, (), Period(BASE + 60 * SECOND, BASE + 90 * SECOND)) == []


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_every_unit_are_told_from_a_period(tmp_path: Path, unit: str) -> None:
    times = pa.array([BASE, BASE + SECOND], pa.timestamp("us", tz="UTC")).cast(pa.timestamp(unit, tz="UTC"))
    (tmp_path / "purchases").mkdir()
    names = {name: pa.array(["a", "b"]) for name in ("purchase_id", "user_id", "item_id", "search_id")}
    pq.write_table(pa.table(names | {"timestamp": times}), tmp_path / "purchases" / "part.parquet")

    def finds(start: int, end: int) -> bool:
        return bool(find_log_files(str(tmp_path), PURCHASES, (), Period(BASE + start, BASE + end)))

    assert finds(SECOND, 2 * SECOND) and finds(-SECOND, 1)
    assert not finds(SECOND + 1, 2 * SECOND) and not finds(-SECOND, 0)


def test_row_groups_that_do_not_say_their_times_are_read(tmp_path: Path) -> None:
    folder = purchases(tmp_path)
    path = folder / "purchases" / "part.parquet"
    pq.write_table(pq.read_table(path), path, write_statistics=False)
    (file,) = find_log_files(str(folder), PURCHASES, (), Period(BASE + SECOND, BASE + 2 * SECOND))
    assert file.groups == (0,)


def test_items_that_do_not_say_when_they_were_made_were_always_there(tmp_path: Path) -> None:
    late = {"item_id": "late", "created_at": BASE + 10 * SECOND}
    write_log(tmp_path, "catalog", [[[late]], [[late, {"item_id": "old", "created_at": None}]]])
    (file,) = find_log_files(str(tmp_path), CATALOG, (), Period(None, BASE + 10 * SECOND))
    assert Path(file.path).name == "part-001.parquet"
