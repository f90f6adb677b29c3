"""The smallest run."""

from components.encoder_evaluator.config import EncoderEvaluatorConfig
from components.recall_evaluator.config import RecallEvaluatorConfig
from models.ctr.config import CtrConfig
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.make.config import MakeConfig
from models.recall.config import RecallConfig
from pipeline.config import EvaluatorConfig, RunConfig
from pipeline.daily.config import DailyConfig


def tiny() -> RunConfig:
    """Runs every stage in about a minute and a half, to see that all is in place.

    adlens simulate --preset tiny --out LOGS && adlens run --logs LOGS --root ROOT --preset tiny

    With some 2,400 training impressions and 100 pairs of either kind the metrics say nothing; the gates let
    any model pass.
    """
    return RunConfig(
        image_encoder=ImageEncoderConfig(
            embedding_dim=32,
            queue_size=256,
            momentum=0.9,
            batch_size=32,
            epochs=3,
            image_size=32,
            num_layers=1,
            hidden_dim=32,
            mlp_dim=64,
        ),
        text_encoder=TextEncoderConfig(
            embedding_dim=32,
            queue_size=256,
            momentum=0.9,
            batch_size=32,
            epochs=3,
            num_layers=1,
            hidden_dim=32,
            mlp_dim=64,
        ),
        encoder_evaluator=EncoderEvaluatorConfig(max_random_cosine=1.0),
        make=MakeConfig(projection_dim=8, epochs=2, batch_size=128),
        ctr=CtrConfig(embedding_dim=8, batch_size=128),
        evaluator=EvaluatorConfig(gate="auc", min_value=0.0, max_drop=1.0),
        recall=RecallConfig(
            embedding_dim=8,
            content_dim=8,
            user_units=(16,),
            item_units=(16,),
            queue_size=128,
            batch_size=64,
            epochs=2,
        ),
        recall_evaluator=RecallEvaluatorConfig(
            k=20, ks=(10, 50), num_retrieved=60, max_drop=1.0, max_random_cosine=1.0
        ),
        daily=DailyConfig(max_drop=1.0, recall_max_drop=1.0),
    )
