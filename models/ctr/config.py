"""Configuration of the click-through-rate model and its training."""

from dataclasses import dataclass

from transforms.input_error import InputError


@dataclass(frozen=True)
class CtrConfig:
    """The click-through-rate model and its training.

    Attributes:
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
    """

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

    def __post_init__(self) -> None:
        for name in ("embedding_dim", "batch_size", "epochs"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("attention_units", "mlp_units"):
            units = getattr(self, name)
            _check(name, units, len(units) >= 1 and min(units) >= 1, "one or more widths of at least 1")
        for name in ("learning_rate", "table_learning_rate"):
            _check(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        clipnorm = self.global_clipnorm
        _check("global_clipnorm", clipnorm, clipnorm is None or clipnorm > 0, "above 0 or absent")


def _check(name: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise InputError(f"ctr.{name} must be {wanted}, got {value}")
