"""Configuration of the recall model and its training."""

from dataclasses import dataclass
from functools import partial

from models.distribution.choices import check_strategy
from transforms.input_error import check_setting

FUSIONS = ("id", "content", "feature", "output", "conditional_output", "feature_conditional_output")

_check = partial(check_setting, "recall")


@dataclass(frozen=True)
class RecallConfig:
    """The recall model and its training.

    Attributes:
        fusion: which experts there are and how they come together: "id" or "content" alone, "feature" (IDs, and
            the histogram of similarities when candidates are reordered), "output" (the weighted sum of both
            experts), "conditional_output" (weights by the item's clicks) or "feature_conditional_output".
        modalities: whose embeddings; None: of all that the run has.
        embedding_dim: size of an ID embedding and of the ID expert's vectors.
        content_dim: size of the content expert's vectors.
        user_units: widths of the hidden layers of the ID expert's user tower; none: a linear tower.
        item_units: widths of the hidden layers of its item tower.
        reorder_units: widths of the hidden layers over the histogram.
        reorder_examples: examples of a batch that are each other's negatives when reordering is learned.
        num_tiers: tiers of the histogram.
        num_buckets: of log2 clicks, the one of items without clicks among them.
        temperature: what scores are divided by in the softmax.
        queue_size: items of earlier batches that are further negatives.
        num_hard_negatives: only so many negatives of the highest scores count; None: all.
        remove_accidental_hits: whether a negative that is the positive's item is left out.
        batch_size: clicked impressions in a step.
        epochs: passes over the clicked impressions of the training split; IDs overfit from the third on.
        learning_rate: Adam's, for the dense layers.
        table_learning_rate: Adagrad's, for the ID tables.
        global_clipnorm: highest common norm of a step's gradients; None leaves them alone.
        seed: of the initial values and of the order.
        strategy: how the training is spread over devices and machines, one of `STRATEGIES`.
        checkpoint_steps: steps of a pass between two checkpoints, from which a training goes on after a kill; beside
            these there is one after each pass but the last. 0: none.
    """

    fusion: str = "feature_conditional_output"
    modalities: tuple[str, ...] | None = None
    embedding_dim: int = 64
    content_dim: int = 64
    user_units: tuple[int, ...] = (128,)
    item_units: tuple[int, ...] = (128,)
    reorder_units: tuple[int, ...] = (16,)
    reorder_examples: int = 128
    num_tiers: int = 20
    num_buckets: int = 16
    temperature: float = 0.1
    queue_size: int = 1_024
    num_hard_negatives: int | None = None
    remove_accidental_hits: bool = True
    batch_size: int = 256
    epochs: int = 2
    learning_rate: float = 0.002
    table_learning_rate: float = 0.02
    global_clipnorm: float | None = None
    seed: int = 0
    strategy: str = "none"
    checkpoint_steps: int = 10_000

    def __post_init__(self) -> None:
        check_strategy("recall", self.strategy)
        _check("checkpoint_steps", self.checkpoint_steps, self.checkpoint_steps >= 0, "at least 0")
        wanted = f"one of {', '.join(FUSIONS)}"
        _check("fusion", self.fusion, self.fusion in FUSIONS, wanted)
        for name in ("embedding_dim", "content_dim", "num_tiers", "num_buckets", "batch_size", "epochs"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("user_units", "item_units", "reorder_units"):
            units = getattr(self, name)
            _check(name, units, min(units, default=1) >= 1, "widths of at least 1")
        for name in ("temperature", "learning_rate", "table_learning_rate"):
            _check(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        _check("queue_size", self.queue_size, self.queue_size >= 0, "at least 0")
        _check("reorder_examples", self.reorder_examples, self.reorder_examples >= 2, "at least 2")
        hard = self.num_hard_negatives
        _check("num_hard_negatives", hard, hard is None or hard >= 1, "at least 1 or absent")
        clipnorm = self.global_clipnorm
        _check("global_clipnorm", clipnorm, clipnorm is None or clipnorm > 0, "above 0 or absent")

    @property
    def uses_ids(self) -> bool:
        """Whether the ID expert is a part of the model."""
        return self.fusion != "content"

    @property
    def uses_content(self) -> bool:
        """Whether embeddings enter at all."""
        return self.fusion != "id"

    @property
    def has_content_expert(self) -> bool:
        """Whether the content expert is a part of the item's vector."""
        return self.fusion not in ("id", "feature")

    @property
    def has_gate(self) -> bool:
        """Whether experts are weighed against each other."""
        return self.fusion.endswith("output")

    @property
    def is_conditional(self) -> bool:
        """Whether the weights depend on the item's clicks."""
        return self.fusion.endswith("conditional_output")

    @property
    def reorders(self) -> bool:
        """Whether what is retrieved is put into another order."""
        return self.fusion.startswith("feature")
