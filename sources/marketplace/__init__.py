"""The simulated marketplace: logs with a known truth."""

from sources.marketplace.params import MarketplaceParams
from sources.marketplace.presets import PRESETS
from sources.marketplace.simulate import simulate

__all__ = ["PRESETS", "MarketplaceParams", "simulate"]
