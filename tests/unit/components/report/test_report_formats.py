import pytest

from components.report import formats


@pytest.mark.parametrize(
    "value, said",
    [
        (0, "0"),
        (7, "7"),
        (0.25, "0.25"),
        (999, "999"),
        (1000, "1k"),
        (12345, "12.3k"),
        (999_600, "1M"),
        (2.5e9, "2.5G"),
    ],
)
def test_compact(value, said):
    assert formats.compact(value) == said


@pytest.mark.parametrize(
    "part, whole, said",
    # 5 of 100 is 5%; 1 of 100,000 is 0.001%, which must not look like nothing.
    [
        (5, 100, "5.00%"),
        (50, 100, "50.0%"),
        (1, 100_000, "<0.01%"),
        (0, 9, "0%"),
        (0, 0, "n/a"),
        # All but one of 10,000 is 99.99%, which must not look like all.
        (9_999, 10_000, ">99.9%"),
        (9_990, 10_000, "99.9%"),
        (9, 9, "100.0%"),
    ],
)
def test_share(part, whole, said):
    assert formats.share(part, whole) == said


@pytest.mark.parametrize(
    "value, said",
    # 3,725 s = 1 h + 125 s = 1 h 2 min 5 s.
    [(0.42, "0.4 s"), (59.99, "1 min 0 s"), (75, "1 min 15 s"), (3725, "1 h 2 min")],
)
def test_seconds(value, said):
    assert formats.seconds(value) == said


def test_missing_values():
    assert formats.metric(None) == "n/a"
    assert formats.count(None) == "n/a"
    assert formats.metric(0.5) == "0.5000"
    assert formats.count(1234567) == "1,234,567"


def test_difference():
    assert formats.difference(0.75, 0.7) == "+0.0500"
    assert formats.difference(0.5, 0.53) == "-0.0300"
    assert formats.difference(None, 0.5) == formats.difference(0.5, None) == "n/a"
