import pytest

from scripts.check_deploy.manifests import selects
from scripts.check_deploy.quantities import quantity, size

LABELS = {"name": "gateway", "part-of": "adlens"}


@pytest.mark.parametrize(
    ("selector", "is_chosen"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": {"name": "gateway"}}, True),
        ({"matchLabels": {"name": "redis"}}, False),
        ({"matchLabels": {"tier": "gateway"}}, False),
        # A Service's selector.
        ({"name": "gateway", "part-of": "adlens"}, True),
        ({"name": "gateway", "part-of": "other"}, False),
        ({"matchExpressions": [{"key": "name", "operator": "In", "values": ["redis", "gateway"]}]}, True),
        ({"matchExpressions": [{"key": "name", "operator": "In", "values": ["redis"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gateway"]}]}, False),
        (
            {
                "matchLabels": {"part-of": "other"},
                "matchExpressions": [{"key": "name", "operator": "In", "values": ["gateway"]}],
            },
            False,
        ),
    ],
)
def test_selector(selector: dict | None, is_chosen: bool) -> None:
    assert selects(selector, LABELS) == is_chosen


def test_operator_that_nobody_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the operator In, got Exists"):
        selects({"matchExpressions": [{"key": "name", "operator": "Exists"}]}, LABELS)


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("2Gi", 2_147_483_648), ("64Mi", 67_108_864)]
)
def test_quantity(text: str, number: float) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize(("text", "number"), [("1gb", 1_073_741_824), ("512MB", 536_870_912), ("100", 100)])
def test_size(text: str, number: float) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "1GiB", "-1"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number with a unit of m, k, M"):
        quantity(text)
