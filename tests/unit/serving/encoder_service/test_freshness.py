"""Quantiles of the latest items."""

from serving.encoder_service.freshness import Freshness


def test_the_latest_count_for_quantiles_and_all_are_counted():
    freshness = Freshness(window=3)
    freshness.add([100.0, 1.0])
    freshness.add([3.0, 2.0])
    assert freshness.status() == {
        "items": 4,
        "p50_seconds": 2.0,
        "p99_seconds": 2.98,  # between 2 and 3, 0.98 of the way: 0.99 x 2 = 1.98
        "max_seconds": 3.0,
    }
