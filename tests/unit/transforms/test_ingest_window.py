from datetime import date

import pytest

from transforms.configuration import from_json, to_json
from transforms.ingest_window import IngestWindow
from transforms.input_error import InputError
from transforms.logs import CATALOG, IMPRESSIONS, PURCHASES, SEARCHES
from transforms.period import Period

HOUR = 3_600_000_000
DAY = 24 * HOUR
# 2024-01-10 is 19,732 days after 1970-01-01: 54 years of 365 days, 13 leap days, 9 days of January.
SPAN = 54 * 365 + 13 + 9


def test_a_day_trains_and_the_next_one_measures() -> None:
    window = IngestWindow.of_day(date(2024, 1, 10), first=False, pair_days=3)
    # Pairs of the 8th, 9th and 10th.
    wanted = IngestWindow(SPAN, SPAN * DAY, (SPAN + 1) * DAY, (SPAN + 2) * DAY, (SPAN - 2) * DAY)
    assert window == wanted
    assert (window.day, window.next_day) == (date(2024, 1, 10), date(2024, 1, 11))
    assert from_json(IngestWindow, to_json(window)) == window


def test_the_first_day_has_no_beginning() -> None:
    window = IngestWindow.of_day(date(2024, 1, 10), first=True)
    assert (window.start, window.pairs_start) == (None, None)
    assert window.period(IMPRESSIONS, HOUR) == Period(None, window.end)
    assert window.period(PURCHASES, HOUR) == Period(None, window.end)


def test_what_is_read_of_each_log() -> None:
    window = IngestWindow.of_day(date(2024, 1, 10), first=False, pair_days=3)
    assert window.period(CATALOG, HOUR) == Period(None, window.end)
    assert window.period(IMPRESSIONS, HOUR) == Period(SPAN * DAY, window.end)
    # An hour before the pairs begin a search may lie that a purchase of theirs belongs to.
    early = Period((SPAN - 2) * DAY - HOUR, window.end)
    assert window.period(SEARCHES, HOUR) == early
    assert window.period(PURCHASES, HOUR) == early


def test_without_pairs_no_search_is_read() -> None:
    window = IngestWindow.of_day(date(2024, 1, 10), first=False)
    assert not window.period(SEARCHES, HOUR).meets((0, 2**62))
    assert not window.period(SEARCHES, HOUR).meets(None)
    assert window.period(PURCHASES, HOUR) == Period(SPAN * DAY, window.end)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((1, 2 * DAY, 2 * DAY, 3 * DAY), "must start before it ends"),
        ((1, DAY, 2 * DAY, 2 * DAY), "must end after its training"),
        ((1, DAY, 2 * DAY, 3 * DAY, 2 * DAY), "pairs of 1970-01-02 must start before training ends"),
        ((1, DAY, 2 * DAY + 1, 3 * DAY), "train_end of the window of 1970-01-02 must be a whole minute"),
    ],
)
def test_windows_that_are_none(values: tuple, words: str) -> None:
    with pytest.raises(InputError, match=words):
        IngestWindow(*values)
