from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from transforms.input_error import InputError
from transforms.read_parquet import ParquetFile, ReadParquet, find_parquet


def test_files_are_found_by_pattern_and_in_order(tmp_path: Path) -> None:
    table = pa.table({"number": [1, 2, 3]})
    for name in ("part-2", "part-1", "other-1"):
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=2)
    # Three rows in row groups of two: two and one.
    assert find_parquet(f"{tmp_path}/part-*.parquet") == [
        ParquetFile(f"{tmp_path}/part-{number}.parquet", (2, 1), table.schema) for number in (1, 2)
    ]
    assert find_parquet(f"{tmp_path}/nothing-*.parquet") == []


def test_what_is_no_parquet_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"part\.parquet is no readable Parquet file"):
        find_parquet(f"{tmp_path}/*.parquet")


def test_columns_are_read_in_the_order_asked_for(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [0.5, 1.5, 2.5]})
    pq.write_table(table, tmp_path / "part.parquet", row_group_size=2)
    with beam.Pipeline(options=in_memory()) as pipeline:
        rows = (
            pipeline
            | ReadParquet(find_parquet(f"{tmp_path}/*.parquet"), ["c", "a"])
            | beam.FlatMap(lambda batch: [tuple(row.items()) for row in batch.to_pylist()])
        )
        wanted = [(("c", 0.5), ("a", 1)), (("c", 1.5), ("a", 2)), (("c", 2.5), ("a", 3))]
        assert_that(rows, equal_to(wanted))


def test_a_file_that_goes_bad_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), path)
    files = find_parquet(str(path))
    path.write_bytes(b"gone")
    with (
        pytest.raises(InputError, match=r"part\.parquet cannot be read"),
        beam.Pipeline(options=in_memory()) as pipeline,
    ):
        _ = pipeline | ReadParquet(files, ["a"])


def in_memory() -> PipelineOptions:
    return PipelineOptions(["--runner=DirectRunner", "--direct_running_mode=in_memory"])
