"""Files: the same parameters give the same bytes; folders are never overwritten."""

import hashlib
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sources.marketplace import PRESETS, MarketplaceParams, simulate
from transforms.input_error import InputError

SMALL = MarketplaceParams(
    num_items=60,
    num_users=10,
    num_categories=4,
    num_shops=5,
    num_impressions=300,
    num_searches=60,
    num_days=3,
)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_parameters_give_the_same_bytes_in_another_process(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    simulate(SMALL, here / "logs")
    script = (
        "import sys, pathlib; from sources.marketplace import MarketplaceParams, simulate;"
        f"simulate({SMALL!r}, pathlib.Path(sys.argv[1]))"
    )
    # One thread for linear algebra and another hash seed: neither may matter.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "99"}
    subprocess.run([sys.executable, "-c", script, str(there / "logs")], check=True, env=environment)
    first = digests(here)
    assert first == digests(there)
    assert len(first) == 4 + 3 * 3 + 3  # Parts of the catalog, three logs of three days, three truth files.


def test_another_seed_gives_other_files(tmp_path):
    simulate(SMALL, tmp_path / "a" / "logs")
    simulate(replace(SMALL, seed=2), tmp_path / "b" / "logs")
    first, second = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_a_folder_with_files_is_refused(tmp_path):
    out = tmp_path / "logs"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="empty folder"):
        simulate(SMALL, out)
    assert [path.name for path in tmp_path.rglob("*")] == ["logs", "mine.txt"]


def test_an_old_truth_is_refused(tmp_path):
    truth = tmp_path / "logs_truth"
    truth.mkdir()
    (truth / "items.parquet").write_text("of other logs")
    with pytest.raises(InputError, match="logs_truth"):
        simulate(SMALL, tmp_path / "logs")


def test_an_empty_folder_is_used_and_progress_ends_complete(tmp_path):
    out = tmp_path / "logs"
    out.mkdir()
    calls: list[tuple[str, int, int]] = []
    simulate(SMALL, out, lambda *call: calls.append(call))
    last = {log: (done, total) for log, done, total in calls}
    assert last == {"catalog": (60, 60), "impressions": (300, 300), "searches": (60, 60)}


def test_row_groups_are_bounded(marketplace):
    for file in marketplace.out.rglob("*.parquet"):
        metadata = pq.read_metadata(file)
        assert all(metadata.row_group(i).num_rows <= 65_536 for i in range(metadata.num_row_groups))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_items": 3}, "num_items must be at least 8, got 3"),
        ({"num_users": 0}, "num_users must be at least 1, got 0"),
        ({"num_categories": 99}, "num_categories must be from 1 to 12, got 99"),
        ({"num_impressions": 1.5}, "num_impressions must be an integer, got 1.5"),
        ({"taste_weight": "high"}, "taste_weight must be a number, got 'high'"),
        ({"base_logit": float("nan")}, "base_logit must be a number, got nan"),
        ({"variant_share": 1.2}, "variant_share must be from 0.0 to 1.0, got 1.2"),
        ({"freshness_boost": -1}, "freshness_boost must be at least 0.0, got -1"),
        ({"seed": True}, "seed must be an integer, got True"),
        ({"demographic_share": 0.8}, "demographic_share \\+ category_taste_share must be from 0.0 to 1.0"),
        ({"accident_rate": 0.95}, "accident_rate \\+ inattention_rate must be from 0.0 to 1.0"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises(InputError, match=message):
        replace(SMALL, **change)


def test_presets_have_the_promised_sizes():
    sizes = {name: (preset.num_impressions, preset.num_items) for name, preset in PRESETS.items()}
    assert sizes == {"tiny": (3_000, 150), "demo": (100_000, 3_000), "bench": (1_000_000, 100_000)}


def test_no_purchases_still_makes_a_log(tmp_path):
    params = replace(SMALL, search_purchase_rate=0.0, click_purchase_rate=0.0)
    assert simulate(params, tmp_path / "logs")["rows"]["purchases"] == 0
    assert list((tmp_path / "logs" / "purchases").glob("*.parquet"))


def test_every_parameter_is_documented_with_its_default():
    text = (Path(__file__).parents[3] / "docs" / "marketplace.md").read_text(encoding="utf-8")
    for field in fields(MarketplaceParams):
        default = f"{field.default:,}" if isinstance(field.default, int) else str(field.default)
        assert f"| `{field.name}` | {default} |" in text
