from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.experiment.truth import read_truth
from transforms.input_error import InputError


@pytest.fixture
def logs(tmp_path: Path) -> str:
    folder = tmp_path / "logs_truth"
    folder.mkdir()
    truth = pa.table({"impression_id": ["m1", "m2", "m3"], "click_probability": [0.1, 0.2, 0.3]})
    pq.write_table(truth, folder / "impressions.parquet", row_group_size=2)
    return str(tmp_path / "logs")


def test_probabilities_are_aligned_with_the_impressions(logs: str) -> None:
    found = read_truth(logs, np.array([b"m3", b"m1"], object))
    assert found is not None and found.dtype == np.float32
    assert found.tolist() == pytest.approx([0.3, 0.1])


def test_logs_that_nobody_simulated_have_no_truth(tmp_path: Path) -> None:
    assert read_truth(str(tmp_path / "logs"), np.array([b"m1"], object)) is None


def test_the_truth_of_other_logs(logs: str) -> None:
    with pytest.raises(InputError, match="none of 1, as of x9"):
        read_truth(logs, np.array([b"m1", b"x9"], object))
