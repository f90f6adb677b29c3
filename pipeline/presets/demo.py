"""The run of `make demo`."""

from pipeline.config import RunConfig


def demo() -> RunConfig:
    """About 100 thousand simulated impressions on a laptop.

    adlens simulate --preset demo --out LOGS && adlens run --logs LOGS --root ROOT --preset demo
    """
    return RunConfig()
