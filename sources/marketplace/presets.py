"""Sizes of the simulated marketplace."""

from sources.marketplace.params import MarketplaceParams

PRESETS = {
    # Seconds: for tests and a first look.
    "tiny": MarketplaceParams(
        num_items=150,
        num_users=60,
        num_categories=6,
        num_shops=12,
        num_impressions=3_000,
        num_searches=400,
    ),
    # Enough for every model to learn something, small enough for a laptop.
    "demo": MarketplaceParams(),
    # For measuring: few users, so that most have more than 50 behaviors.
    "bench": MarketplaceParams(
        num_items=100_000,
        num_users=2_000,
        num_shops=3_000,
        num_impressions=1_000_000,
        num_searches=120_000,
    ),
}
