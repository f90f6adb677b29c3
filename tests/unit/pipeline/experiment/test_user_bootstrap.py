import numpy as np
import pytest

from models.metrics.gauc import gauc
from pipeline.experiment.user_bootstrap import draw_users, percentile_interval, user_interval


def test_two_users() -> None:
    # Drawn are (0, 0), (0, 1) or (1, 1): 0.25, (3 * 0.25 + 2 * 0.5) / 5 = 0.35 or 0.5, the outer ones a quarter of
    # the time each, so that both bounds are theirs.
    found = user_interval(np.array([0.25, 0.5]), np.array([3, 2]))
    assert found == {"low": pytest.approx(0.25), "high": pytest.approx(0.5)}


def test_users_weigh_as_many_impressions_as_they_have() -> None:
    # 40 users, of whom 2 have all the difference and 60 of the 98 impressions each. Every resample's mean is
    # 60k / (60k + 40 - k) with k drawn of Binomial(40, 1/20): its 2.5 % and 97.5 % quantiles are k = 0 and 5.
    differences, impressions = np.zeros(40), np.ones(40, int)
    differences[:2], impressions[:2] = 1.0, 60
    found = user_interval(differences, impressions)
    assert found and found["low"] == 0.0
    assert found["high"] == pytest.approx(300 / 335)


def test_as_wide_as_resampling_the_impressions_literally() -> None:
    generator = np.random.default_rng(3)
    users = np.repeat(np.arange(30), generator.integers(2, 12, 30))
    clicked = generator.random(len(users)) < 0.4
    first, second = clicked + generator.normal(size=len(users)), generator.normal(size=len(users))
    both = [u for u in range(30) if 0 < clicked[users == u].sum() < (users == u).sum()]
    own = [(np.full(1, u), users == u) for u in both]
    differences = np.array(
        [gauc(users[r], clicked[r], first[r]) - gauc(users[r], clicked[r], second[r]) for _, r in own]
    )
    found = user_interval(differences, np.array([r.sum() for _, r in own]))

    literal = []
    for _ in range(2_000):
        drawn = generator.choice(both, len(both))
        rows = np.concatenate([np.flatnonzero(users == u) for u in drawn])
        # A user drawn twice counts as two.
        names = np.repeat(np.arange(len(drawn)), [(users == u).sum() for u in drawn])
        literal.append(gauc(names, clicked[rows], first[rows]) - gauc(names, clicked[rows], second[rows]))
    low, high = np.quantile(literal, [0.025, 0.975])
    assert found
    # Between two samples of so many resamples the bounds differ by a tenth of the width at most.
    assert found["low"] == pytest.approx(low, abs=0.1 * (high - low))
    assert found["high"] == pytest.approx(high, abs=0.1 * (high - low))


def test_the_same_every_time() -> None:
    values, impressions = np.random.default_rng(0).normal(size=50), np.arange(1, 51)
    assert user_interval(values, impressions) == user_interval(values, impressions)


def test_as_many_users_are_drawn_as_there_are_whatever_the_blocks() -> None:
    (whole,) = draw_users(3, 10)
    assert whole.shape == (1_000, 3)
    assert (whole.sum(axis=1) == 3).all()
    # Each is drawn once on average; its count is of Binomial(3, 1/3), whose deviation is 0.82.
    assert whole.mean(axis=0) == pytest.approx(np.ones(3), abs=0.1)
    blocks = list(draw_users(3, 1_000_000))
    assert len(blocks) > 1
    assert (np.concatenate(blocks) == whole).all()


def test_resamples_without_a_figure_are_left_out() -> None:
    # 0, 1, …, 40: of the 41, 2.5 % lie below 1 and above 39.
    values = np.r_[np.arange(41.0), np.nan, np.inf, -np.inf]
    assert percentile_interval(values) == {"low": pytest.approx(1.0), "high": pytest.approx(39.0)}
    assert percentile_interval(np.array([np.nan])) is None


def test_no_user() -> None:
    with pytest.raises(ValueError, match="at least one user"):
        user_interval(np.zeros(0), np.zeros(0, int))
