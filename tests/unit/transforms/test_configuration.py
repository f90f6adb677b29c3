from dataclasses import dataclass

import pytest

from transforms.configuration import from_json, from_values, to_json
from transforms.feature import Feature
from transforms.ingest_config import IngestConfig, parse_time
from transforms.input_error import InputError


@dataclass(frozen=True)
class Inner:
    size: int = 1
    name: str = ""


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    parts: tuple[Inner, ...] = ()
    widths: tuple[int, ...] = (1, 2)
    rate: float = 0.5
    limit: float | None = None
    is_on: bool = False


def test_values_take_the_place_of_defaults() -> None:
    made = from_values(
        Outer,
        {
            "inner": {"size": 3},
            "parts": [{"name": "a"}, {}],
            "widths": [4],
            "rate": 2,
            "limit": 1,
            "is_on": True,
        },
    )
    assert made == Outer(Inner(3), (Inner(1, "a"), Inner()), (4,), 2.0, 1.0, True)
    assert isinstance(made.rate, float)
    assert from_values(Outer, {"limit": None}) == Outer()


def test_json_and_back() -> None:
    config = IngestConfig(features=(Feature("price", kind="numeric", side="item"),), max_behaviors=7)
    assert from_json(IngestConfig, to_json(config)) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"innr": {}}, "unknown key innr; did you mean inner?"),
        ({"inner": {"sise": 1}}, "unknown key inner.sise; did you mean size?"),
        ({"parts": [{"name": "a"}, {"nam": "b"}]}, "unknown key parts[1].nam; did you mean name?"),
        ({"zzz": 1}, "unknown key zzz; known are inner, parts, widths"),
        ({3: 1}, "unknown key 3"),
        ({"inner": 5}, "inner must be a mapping of keys to values, got 5"),
        ({"inner": {"size": "big"}}, "inner.size must be a whole number, got 'big'"),
        ({"inner": {"size": 1.5}}, "inner.size must be a whole number, got 1.5"),
        ({"inner": {"size": True}}, "inner.size must be a whole number, got True"),
        ({"inner": {"name": 5}}, "inner.name must be a text, got 5"),
        ({"rate": "fast"}, "rate must be a number, got 'fast'"),
        ({"rate": True}, "rate must be a number, got True"),
        ({"is_on": 1}, "is_on must be true or false, got 1"),
        ({"widths": 4}, "widths must be a list, got 4"),
        ({"widths": [1, "x"]}, "widths[1] must be a whole number, got 'x'"),
        ([], "config must be a mapping of keys to values, got []"),
    ],
)
def test_what_does_not_fit_is_named(values: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        from_values(Outer, values)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_feature_without_a_name() -> None:
    with pytest.raises(InputError, match=r"ingest.features\[0\] needs name"):
        from_values(IngestConfig, {"features": [{"kind": "id"}]}, "ingest")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_behaviors": 0}, "ingest.max_behaviors must be at least 1, got 0"),
        ({"train_fraction": 1.0}, "ingest.train_fraction must lie between 0 and 1"),
        ({"train_fraction": 0.9, "eval_fraction": 0.1}, "leave something to test on"),
        ({"max_reject_fraction": float("nan")}, "ingest.max_reject_fraction"),
        ({"attribution_hours": 0.0}, "ingest.attribution_hours"),
        ({"attribution_hours": float("nan")}, "ingest.attribution_hours"),
        ({"attribution_hours": float("inf")}, "ingest.attribution_hours"),
        ({"train_end": "2024-01-01"}, "given together"),
        ({"train_end": "2024-01-02", "eval_end": "2024-01-01"}, "must come before"),
        ({"log_start": "yesterday"}, "ingest.log_start must be an ISO time"),
        (
            {"log_start": "2024-01-02", "log_end": "2024-01-01"},
            "ingest.log_start must come before ingest.log_end",
        ),
        ({"features": (Feature("a"), Feature("a", side="item"))}, "names a column twice"),
    ],
)
def test_ingest_values_out_of_bounds(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        IngestConfig(**values)


def test_a_feature_of_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'numeric'"):
        Feature("age", kind="numerical")
    with pytest.raises(InputError, match="num_buckets must be at least 2"):
        Feature("age", kind="bucketized", num_buckets=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01+00:00", 1),
        ("1970-01-02", 86_400),  # A day has 24 · 3600 seconds; a time without a zone is UTC.
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59Z", -1),
    ],
)
def test_times(text: str, seconds: int) -> None:
    assert parse_time("x", text) == seconds * 1_000_000
