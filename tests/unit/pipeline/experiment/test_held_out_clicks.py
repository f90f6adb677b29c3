import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.experiment.held_out_clicks import HeldOutClicks
from transforms.input_error import InputError


def write(path: Path, rows: list[tuple[str, str, int, int]]) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for impression_id, user_id, clicked, group in rows:
            features = {
                "impression_id": tf.train.Feature(bytes_list={"value": [impression_id.encode()]}),
                "user_id": tf.train.Feature(bytes_list={"value": [user_id.encode()]}),
                "clicked": tf.train.Feature(int64_list={"value": [clicked]}),
                "item_frequency_group": tf.train.Feature(int64_list={"value": [group]}),
                "item_id": tf.train.Feature(bytes_list={"value": [b"other"]}),
            }
            writer.write(tf.train.Example(features={"feature": features}).SerializeToString())


def test_rows_come_in_the_order_of_files_and_of_rows(tmp_path: Path) -> None:
    write(tmp_path / "examples-00001-of-00002", [("m2", "u7", 1, 8)])
    write(tmp_path / "examples-00000-of-00002", [("m9", "u8", 0, 9), ("m1", "u7", 1, 1)])
    found = HeldOutClicks.read(str(tmp_path))
    assert found.impression_ids.tolist() == [b"m9", b"m1", b"m2"]
    assert found.clicked.tolist() == [False, True, True]
    assert found.groups.tolist() == [9, 1, 8]
    assert found.users[1] == found.users[2] != found.users[0]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no file"):
        HeldOutClicks.read(str(tmp_path))


def test_figures_worked_out_by_hand(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    found = clicks.measure(weak[0])
    assert found["auc"] == pytest.approx(0.5)
    assert found["gauc"] == pytest.approx(0.7)
    # .5 + .6 + .4 + .2 + .1 + .3 clicks were foretold, two came.
    assert found["calibration"] == pytest.approx(2.1 / 2)
    likelihoods = [0.5, 0.4, 0.6, 0.2, 0.9, 0.7]
    assert found["logloss"] == pytest.approx(-sum(map(math.log, likelihoods)) / 6)
    assert (found["impressions"], found["users"]) == (6, 2)


def test_figures_by_group(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    rare, often, new = clicks.measure(weak[0])["groups"]
    # Group 1: .5 was clicked and .3 not. Group 8: .2 was clicked, .6 and .4 not. New: .1 and no click.
    assert (rare["group"], rare["impressions"], rare["auc"]) == (1, 2, 1.0)
    assert (often["group"], often["impressions"], often["auc"]) == (8, 3, 0.0)
    assert (new["group"], new["impressions"], new["auc"]) == ("new", 1, None)
    assert rare["logloss"] == pytest.approx(-(math.log(0.5) + math.log(0.7)) / 2)
    assert new["logloss"] == pytest.approx(-math.log(0.9))


def test_what_is_not_defined_is_none(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    found = clicks.measure(np.full(6, np.nan, np.float32))
    assert [found[name] for name in ("auc", "gauc", "logloss", "calibration")] == [None] * 4
    unclicked = HeldOutClicks(clicks.users, np.zeros(6, bool), clicks.groups, clicks.impression_ids)
    found = unclicked.measure(weak[0])
    assert (found["auc"], found["gauc"], found["calibration"], found["users"]) == (None, None, None, 0)
    assert found["logloss"] is not None


def test_too_few_predictions(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="length"):
        clicks.measure(weak[0][:5])


def test_users_aucs_and_their_impressions(clicks: HeldOutClicks, weak: list[np.ndarray]) -> None:
    aucs, impressions = clicks.user_aucs(weak[0])
    assert aucs.tolist() == [0.5, 1.0]
    assert impressions.tolist() == [3, 2]
