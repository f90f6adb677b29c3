"""The click probabilities that a simulated marketplace drew its clicks from."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sources.marketplace.simulate import truth_folder
from transforms.input_error import InputError


def read_truth(logs: str, impression_ids: np.ndarray) -> np.ndarray | None:
    """Reads the true click probabilities of simulated logs: nothing can predict better.

    Args:
        logs: the folder of the four logs.
        impression_ids: bytes `[impressions]`.
    Returns:
        float32 `[impressions]`, or None where nothing lies beside the logs: they are no simulated ones.
    Raises:
        InputError: if the truth is of other logs: it lacks an impression.
    """
    path = truth_folder(Path(logs)) / "impressions.parquet"
    if not path.exists():
        return None
    truth = pq.read_table(path)
    wanted = pa.array(impression_ids.tolist(), pa.binary()).cast(pa.string())
    places = pc.index_in(wanted, value_set=truth["impression_id"])
    if places.null_count:
        raise InputError(
            f"{path}: expected the probability of every impression of {logs}, "
            f"got none of {places.null_count:,}, as of {wanted.filter(places.is_null())[0]}"
        )
    return truth["click_probability"].take(places).to_numpy().astype(np.float32)
