"""The smallest run."""

from models.ctr.config import CtrConfig
from pipeline.config import EvaluatorConfig, RunConfig


def tiny() -> RunConfig:
    """Runs every stage in about a minute, to see that all is in place.

    adlens simulate --preset tiny --out LOGS && adlens run --logs LOGS --root ROOT --preset tiny

    With some 2,400 training impressions the metrics say nothing; the gate lets any model pass.
    """
    return RunConfig(
        ctr=CtrConfig(embedding_dim=8, batch_size=128),
        evaluator=EvaluatorConfig(gate="auc", min_value=0.0, max_drop=1.0),
    )
