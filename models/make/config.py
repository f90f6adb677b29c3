"""Configuration of MAKE and its training."""

from dataclasses import dataclass
from functools import partial

from models.distribution.choices import check_strategy
from transforms.input_error import check_setting

_check = partial(check_setting, "make")


@dataclass(frozen=True)
class MakeConfig:
    """The multimodal knowledge extractor and its training before the click-through-rate model's.

    Attributes:
        attention_units: widths of the hidden layers of the attention over embeddings.
        mlp_units: widths of the hidden layers of the MLP; with the logit they are the paper's four.
        projection_dim: to how many dimensions each modality's embeddings are projected first.
        epochs: passes over the training split; 0: no training of its own, it learns with the
            click-through-rate model from the beginning.
        batch_size: impressions in a step.
        learning_rate: Adam's.
        seed: of the initial values.
        strategy: how the training is spread over devices and machines, one of `STRATEGIES`.
        checkpoint_steps: steps of a pass between two checkpoints, from which a training goes on after a kill; beside
            these there is one after each pass but the last. 0: none.
    """

    attention_units: tuple[int, ...] = (16,)
    mlp_units: tuple[int, ...] = (64, 32, 16)
    projection_dim: int = 32
    epochs: int = 5
    batch_size: int = 512
    learning_rate: float = 0.001
    seed: int = 0
    strategy: str = "none"
    checkpoint_steps: int = 10_000

    def __post_init__(self) -> None:
        check_strategy("make", self.strategy)
        _check("checkpoint_steps", self.checkpoint_steps, self.checkpoint_steps >= 0, "at least 0")
        for name in ("attention_units", "mlp_units"):
            units = getattr(self, name)
            _check(name, units, len(units) >= 1 and min(units) >= 1, "one or more widths of at least 1")
        _check("projection_dim", self.projection_dim, self.projection_dim >= 1, "at least 1")
        _check("batch_size", self.batch_size, self.batch_size >= 1, "at least 1")
        _check("epochs", self.epochs, self.epochs >= 0, "at least 0")
        _check("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0")
