"""Configuration of the click-through-rate model and its training."""

import dataclasses
from dataclasses import dataclass
from functools import partial

from models.distribution.choices import check_strategy
from transforms.input_error import check_setting

INTEGRATIONS = ("id", "vector", "simscore", "simtier", "make", "simtier_make")

_check = partial(check_setting, "ctr")


@dataclass(frozen=True)
class CtrConfig:
    """The click-through-rate model and its training.

    Attributes:
        integration: how the items' embeddings enter: "id" (not at all), "vector" (beside the IDs), "simscore"
            (each behavior's similarity beside its IDs), "simtier" (the histogram of similarities), "make" (what
            the knowledge extractor has learned) or "simtier_make" (both).
        modalities: whose embeddings; None: of all that the run has.
        num_tiers: tiers of SimTier.
        log_counts: log(1 + count) in SimTier's tiers; not in the paper.
        train_make: whether a MAKE that was trained before goes on training with this model.
        baseline: whether a model of the IDs alone is trained beside, for the Evaluator to compare with.
        embedding_dim: size of an ID embedding.
        attention_units: widths of the hidden layers of DIN's attention.
        mlp_units: widths of the hidden layers of the MLP.
        batch_size: impressions in a step.
        epochs: passes over the training split; models of IDs overfit from the second on.
        learning_rate: Adam's, for the dense layers.
        table_learning_rate: Adagrad's, for the ID tables.
        global_clipnorm: highest common norm of a step's gradients; None leaves them alone.
        mixed_precision: bfloat16 for activations; tables, other variables and logits stay float32.
        seed: of the initial values.
        strategy: how the training is spread over devices and machines, one of `STRATEGIES`.
        checkpoint_steps: steps of a pass between two checkpoints, from which a training goes on after a kill; beside
            these there is one after each pass but the last. 0: none.
    """

    integration: str = "simtier_make"
    modalities: tuple[str, ...] | None = None
    num_tiers: int = 20
    log_counts: bool = False
    train_make: bool = False
    baseline: bool = True
    embedding_dim: int = 16
    attention_units: tuple[int, ...] = (32,)
    mlp_units: tuple[int, ...] = (128, 64)
    batch_size: int = 512
    epochs: int = 1
    learning_rate: float = 0.001
    table_learning_rate: float = 0.05
    global_clipnorm: float | None = None
    mixed_precision: bool = False
    seed: int = 0
    strategy: str = "none"
    checkpoint_steps: int = 10_000

    def __post_init__(self) -> None:
        check_strategy("ctr", self.strategy)
        _check("checkpoint_steps", self.checkpoint_steps, self.checkpoint_steps >= 0, "at least 0")
        wanted = f"one of {', '.join(INTEGRATIONS)}"
        _check("integration", self.integration, self.integration in INTEGRATIONS, wanted)
        for name in ("num_tiers", "embedding_dim", "batch_size", "epochs"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("attention_units", "mlp_units"):
            units = getattr(self, name)
            _check(name, units, len(units) >= 1 and min(units) >= 1, "one or more widths of at least 1")
        for name in ("learning_rate", "table_learning_rate"):
            _check(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        clipnorm = self.global_clipnorm
        _check("global_clipnorm", clipnorm, clipnorm is None or clipnorm > 0, "above 0 or absent")

    @property
    def uses_content(self) -> bool:
        """Whether embeddings enter at all."""
        return self.integration != "id"

    @property
    def uses_make(self) -> bool:
        """Whether the knowledge extractor is a part of the model."""
        return self.integration in ("make", "simtier_make")

    def of_ids_alone(self) -> "CtrConfig":
        """The same model without content.

        What only content reads has its default, so that the model is the same, and is not trained again, however
        content is configured.
        """
        default = CtrConfig()
        return dataclasses.replace(
            self,
            integration="id",
            modalities=(),
            num_tiers=default.num_tiers,
            log_counts=default.log_counts,
            train_make=default.train_make,
            baseline=default.baseline,
        )
