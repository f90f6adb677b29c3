import numpy as np
import pytest
from small_logs import BASE, MINUTE, SECOND

from transforms.ingest_config import IngestConfig
from transforms.ingest_window import IngestWindow
from transforms.input_error import InputError
from transforms.time_splits import TimeSplits, cut_by_time, cut_pairs, iso

FIRST = BASE // MINUTE


def histogram(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Impressions in minutes from BASE on; a minute without any is absent."""
    minutes = [(FIRST + place, count) for place, count in enumerate(counts) if count]
    return np.array([minute for minute, _ in minutes]), np.array([count for _, count in minutes])


def test_ends_are_the_first_minutes_with_the_shares_before_them() -> None:
    # 20 impressions. Half are 10: before minute 2 lie 6 + 3 = 9, before minute 3 lie 9 + 5 = 14, so training
    # ends at minute 3. Three quarters are 15: before minute 5 lie 14 + 2 = 16 (minute 3 has none).
    config = IngestConfig(train_fraction=0.5, eval_fraction=0.25)
    splits = cut_by_time(histogram([6, 3, 5, 0, 2, 4]), config)
    # The share is first reached before minute 4, the next minute in which anything happened.
    assert splits.train_end == BASE + 4 * MINUTE
    assert splits.eval_end == BASE + 5 * MINUTE
    moments = (
        np.array([0, 3 * MINUTE + 59 * SECOND, 4 * MINUTE - 1, 4 * MINUTE, 5 * MINUTE - 1, 5 * MINUTE]) + BASE
    )
    assert splits.split_of(moments).tolist() == [0, 0, 0, 1, 1, 2]


def test_files_hold_about_as_many_rows_as_wanted() -> None:
    # Training has minutes 0 to 7 with 2 impressions each, 16 in all: 4 files of 4 rows, so from minutes 0, 2, 4
    # and 6 on, or a minute earlier or later; eval and test have 2 each, one file each.
    config = IngestConfig(train_fraction=0.8, eval_fraction=0.1, rows_per_file=4)
    splits = cut_by_time(histogram([2] * 10), config)
    moments = BASE + np.arange(10) * MINUTE
    files = splits.file_of(moments)
    assert (np.diff(files) >= 0).all()
    assert [splits.locate(int(file))[0] for file in files] == ["train"] * 8 + ["eval", "test"]
    for file in range(4):
        assert splits.locate(file) == ("train", file, 4)
        assert 1 <= (files[:8] == file).sum() <= 3
    assert splits.locate(4) == ("eval", 0, 1)
    assert splits.locate(5) == ("test", 0, 1)


def test_locate_counts_the_files_of_each_split() -> None:
    # Starts 10, 20 (end of training), 30, 40 (end of eval), 50, 60: two, two and three files.
    splits = TimeSplits(train_end=20, eval_end=40, file_starts=(10, 20, 30, 40, 50, 60))
    assert [splits.locate(file) for file in range(7)] == [
        ("train", 0, 2),
        ("train", 1, 2),
        ("eval", 0, 2),
        ("eval", 1, 2),
        ("test", 0, 3),
        ("test", 1, 3),
        ("test", 2, 3),
    ]
    assert splits.file_of(np.array([9, 10, 19, 20, 39, 40, 60, 1000])).tolist() == [0, 1, 1, 2, 3, 4, 6, 6]


def test_given_ends_replace_the_shares() -> None:
    config = IngestConfig(train_end=iso(BASE + 2 * MINUTE), eval_end=iso(BASE + 3 * MINUTE))
    splits = cut_by_time(histogram([1, 1, 1, 1]), config)
    assert (splits.train_end, splits.eval_end) == (BASE + 2 * MINUTE, BASE + 3 * MINUTE)


def test_given_ends_need_not_be_whole_minutes() -> None:
    config = IngestConfig(train_end=iso(BASE + 90 * SECOND), eval_end=iso(BASE + 150 * SECOND))
    splits = cut_by_time(histogram([1, 1, 1, 1]), config)
    assert splits.split_of(BASE + np.array([89, 90, 149, 150]) * SECOND).tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("split", ["train", "eval", "test"])
def test_an_empty_split_is_an_error(split: str) -> None:
    ends = {"train": (-5, 2), "eval": (2, 3), "test": (2, 50)}[split]
    config = IngestConfig(train_end=iso(BASE + ends[0] * MINUTE), eval_end=iso(BASE + ends[1] * MINUTE))
    with pytest.raises(InputError, match=f"the {split} split would be empty"):
        cut_by_time(histogram([1, 1, 0, 1]), config)


def test_one_minute_cannot_be_split() -> None:
    with pytest.raises(InputError, match="split would be empty"):
        cut_by_time(histogram([100]), IngestConfig())


def test_no_impressions() -> None:
    with pytest.raises(InputError, match="impressions: expected rows"):
        cut_by_time((np.empty(0, np.int64), np.empty(0, np.int64)), IngestConfig())


# A day of minutes 2 to 5 and a next one of minutes 6 to 9; pairs from minute 1 on.
DAY = IngestWindow(1, BASE + 2 * MINUTE, BASE + 6 * MINUTE, BASE + 10 * MINUTE, BASE + MINUTE)


def test_a_day_trains_and_the_next_one_is_divided() -> None:
    # 0.1 of what 0.8 leaves is half: of the next day's 2 + 1 + 0 + 4 the first 3 come before minute 9, 3 < 3.5,
    # and so do all before minute 10; but the last minute has to test.
    splits = cut_by_time(histogram([0, 0, 5, 5, 5, 5, 2, 1, 0, 4]), IngestConfig(), DAY)
    assert (splits.train_end, splits.eval_end) == (BASE + 6 * MINUTE, BASE + 9 * MINUTE)
    # With 4 + 1 + 0 + 4 before minute 9 lie 5, at least 4.5, before minute 7 only 4.
    splits = cut_by_time(histogram([0, 0, 5, 5, 5, 5, 4, 1, 0, 4]), IngestConfig(), DAY)
    assert splits.eval_end == BASE + 9 * MINUTE
    # With 6 + 1 + 0 + 4 before minute 7 lie 6 of 11.
    splits = cut_by_time(histogram([0, 0, 5, 5, 5, 5, 6, 1, 0, 4]), IngestConfig(), DAY)
    assert splits.eval_end == BASE + 7 * MINUTE


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([0, 0, 0, 0, 0, 0, 2, 2], "no impressions on 1970-01-02: the run of 1970-01-02 trains on that day"),
        ([0, 0, 5, 5], "no impressions on 1970-01-03: .* is measured on 1970-01-03"),
        ([], "no impressions on 1970-01-02"),
        ([0, 0, 5, 5, 5, 5, 0, 7], "the impressions of 1970-01-03 all lie in one minute"),
    ],
)
def test_days_that_cannot_be_run(counts: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        cut_by_time(histogram(counts), IngestConfig(), DAY)


def test_pairs_train_and_evaluate_before_the_next_day() -> None:
    # 0.8 to 0.1 is 8 of 9. From minute 1 to 5 lie 3 + 3 + 1 + 1 + 1 = 9 purchases: 8 of them before minute 5.
    splits = cut_pairs(histogram([50, 3, 3, 1, 1, 1, 90]), IngestConfig(), DAY)
    assert (splits.train_end, splits.eval_end) == (BASE + 5 * MINUTE, BASE + 6 * MINUTE)
    # Where the last minute has a third of them, it evaluates nevertheless.
    splits = cut_pairs(histogram([50, 3, 0, 0, 0, 2, 90]), IngestConfig(), DAY)
    assert (splits.train_end, splits.eval_end) == (BASE + 5 * MINUTE, BASE + 6 * MINUTE)


def test_no_purchases_no_pairs() -> None:
    splits = cut_pairs(histogram([50, 0, 0, 0, 0, 0, 90]), IngestConfig(), DAY)
    assert (splits.train_end, splits.eval_end) == (BASE + 6 * MINUTE, BASE + 6 * MINUTE)
