from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_logs import BASE, write_log

from transforms.feature import Feature
from transforms.input_error import InputError
from transforms.log_files import find_log_files
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES

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
