"""One small marketplace for all tests of the source."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pytest

from sources.marketplace import MarketplaceParams, simulate


@dataclass(frozen=True)
class Marketplace:
    """A simulated marketplace, read back from its files."""

    params: MarketplaceParams
    out: Path
    summary: dict
    catalog: pd.DataFrame
    impressions: pd.DataFrame
    searches: pd.DataFrame
    purchases: pd.DataFrame
    items: pd.DataFrame
    click_truth: pd.DataFrame


@pytest.fixture(scope="session")
def marketplace(tmp_path_factory: pytest.TempPathFactory) -> Marketplace:
    out = tmp_path_factory.mktemp("marketplace") / "logs"
    params = MarketplaceParams(
        seed=7, num_items=400, num_users=80, num_shops=20, num_impressions=20_000, num_searches=500
    )
    summary = simulate(params, out)
    truth = out.parent / "logs_truth"
    paths = [out / log for log in ("catalog", "impressions", "searches", "purchases")]
    paths += [truth / "items.parquet", truth / "impressions.parquet"]
    return Marketplace(params, out, summary, *(ds.dataset(path).to_table().to_pandas() for path in paths))
