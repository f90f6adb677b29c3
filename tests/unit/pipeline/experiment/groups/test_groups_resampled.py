import numpy as np
import pytest

from models.metrics.auc import auc
from models.metrics.logloss import logloss
from pipeline.experiment import user_bootstrap
from pipeline.experiment.groups.resampled import resample
from pipeline.experiment.held_out_clicks import HeldOutClicks
from pipeline.experiment.user_bootstrap import draw_users

USERS, IMPRESSIONS, SEEDS = 25, 240, 2


@pytest.fixture
def many() -> HeldOutClicks:
    generator = np.random.default_rng(8)
    return HeldOutClicks(
        # Numbers with gaps, as users of a part of the log would have.
        generator.permutation(np.arange(IMPRESSIONS) % USERS) * 3 + 1,
        generator.random(IMPRESSIONS) < 0.4,
        generator.choice([1, 2, 8, 9], IMPRESSIONS),
        np.arange(IMPRESSIONS).astype("S"),
    )


def predicted(seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(1, 20, IMPRESSIONS).astype(np.float32) / 20 for _ in range(SEEDS)]


def test_equal_to_measuring_repeated_impressions(many: HeldOutClicks) -> None:
    baseline, content = predicted(1), predicted(2)
    found = resample(baseline, content, many)
    drawn = np.concatenate(list(draw_users(USERS, 1)))
    assert found.impressions.shape == found.improvements["auc"].shape == (4, len(drawn))
    for draw in (0, 17, len(drawn) - 1):
        # User u of the drawn ones is number 3u + 1.
        for place, group in enumerate((1, 2, 8, 9)):
            rows = [
                row
                for row in range(IMPRESSIONS)
                if many.groups[row] == group
                for _ in range(drawn[draw, (many.users[row] - 1) // 3])
            ]
            assert found.impressions[place, draw] == len(rows)
            clicked = many.clicked[rows]
            aucs = [[auc(clicked, one[rows]) for one in each] for each in (baseline, content)]
            losses = [[logloss(clicked, one[rows]) for one in each] for each in (baseline, content)]
            by_auc = np.mean([new / old - 1 for old, new in zip(*aucs, strict=True)])
            by_loss = np.mean([1 - new / old for old, new in zip(*losses, strict=True)])
            assert found.improvements["auc"][place, draw] == pytest.approx(by_auc, abs=1e-9)
            assert found.improvements["logloss"][place, draw] == pytest.approx(by_loss, abs=1e-9)


def test_small_blocks_give_the_same(many: HeldOutClicks, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resample(predicted(1), predicted(2), many)
    monkeypatch.setattr(user_bootstrap, "_MAX_CELLS", 7 * IMPRESSIONS)
    assert len(next(draw_users(USERS, IMPRESSIONS))) == 7
    parts = resample(predicted(1), predicted(2), many)
    assert (whole.impressions == parts.impressions).all()
    for metric, values in whole.improvements.items():
        assert parts.improvements[metric] == pytest.approx(values, nan_ok=True)
