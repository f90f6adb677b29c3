"""Configuration of the encoders and their training."""

from dataclasses import dataclass
from typing import Any, ClassVar

from models.distribution.choices import STRATEGIES
from transforms.input_error import InputError

METHODS = ("scl", "backbone")


@dataclass(frozen=True)
class EncoderConfig:
    """What the encoders of all modalities are told.

    Attributes:
        method: "scl" trains on query pairs; "backbone" takes the backbone's features as they come.
        backbone: name of a KerasHub preset, a local folder of one, or a short name of `pretrained`; empty:
            one of the sizes below that begins at random.
        embedding_dim: length of an embedding; with "backbone" it is the backbone's own.
        queue_size: keys in the memory bank; 0 for negatives of the batch alone.
        momentum: share of a key encoder's weight that stays at a step.
        temperature: first value of the learnable temperature.
        triplet_weight: factor of the triplet loss; 0 for none.
        triplet_margin: squared distance by which a hard negative should lie farther away.
        batch_size: pairs in a step, those of all replicas.
        epochs: passes over the training pairs, at most.
        learning_rate: AdamW's highest, after the warm-up and before the cosine decay to 0.
        weight_decay: AdamW's, of matrices.
        warmup_fraction: share of the steps in which the learning rate rises.
        global_clipnorm: highest common norm of a step's gradients; None leaves them alone.
        checkpoint_steps: steps between two looks at the eval split, each with a checkpoint; 0: an epoch.
        patience: how many looks without a better Acc@1 end the training.
        shuffle_buffer: pairs that are held to pick the next from.
        mixed_precision: bfloat16 for activations; weights, losses and embeddings stay float32.
        seed: of initial values, order and dropout.
        strategy: how the training is spread over devices and machines, one of `STRATEGIES`.
    """

    section: ClassVar[str] = "encoder"

    method: str = "scl"
    backbone: str = ""
    embedding_dim: int = 128
    queue_size: int = 2_048
    momentum: float = 0.9
    temperature: float = 0.07
    triplet_weight: float = 1.0
    triplet_margin: float = 0.2
    batch_size: int = 64
    epochs: int = 5
    learning_rate: float = 0.001
    weight_decay: float = 0.01
    warmup_fraction: float = 0.1
    global_clipnorm: float | None = 1.0
    checkpoint_steps: int = 0
    patience: int = 3
    shuffle_buffer: int = 8_192
    mixed_precision: bool = False
    seed: int = 0
    strategy: str = "none"

    def __post_init__(self) -> None:
        for name, choices in (("method", METHODS), ("strategy", STRATEGIES)):
            self._check(name, getattr(self, name) in choices, f"one of {', '.join(choices)}")
        for name in ("embedding_dim", "batch_size", "epochs", "patience", "shuffle_buffer"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("queue_size", "checkpoint_steps", "triplet_weight", "triplet_margin", "weight_decay"):
            self._check(name, getattr(self, name) >= 0, "at least 0")
        for name in ("momentum", "warmup_fraction"):
            self._check(name, 0 <= getattr(self, name) < 1, "in [0, 1)")
        for name in ("temperature", "learning_rate"):
            self._check(name, getattr(self, name) > 0, "above 0")
        clipnorm = self.global_clipnorm
        self._check("global_clipnorm", clipnorm is None or clipnorm > 0, "above 0 or absent")

    def _check(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            value: Any = getattr(self, name)
            raise InputError(f"{self.section}.{name} must be {wanted}, got {value!r}")


@dataclass(frozen=True)
class ImageEncoderConfig(EncoderConfig):
    """The encoder of pictures.

    Attributes:
        image_size: side of the square that pictures are resized to, in pixels; some backbones take one alone.
        patch_size: side of a patch of the vision transformer.
        num_layers: its layers.
        num_heads: its attention heads.
        hidden_dim: its width.
        mlp_dim: width of its MLPs.
        augmentation: strength in [0, 1] of random turns, zooms, shifts and light; 0 for none.
    """

    section: ClassVar[str] = "image_encoder"

    image_size: int = 64
    patch_size: int = 8
    num_layers: int = 3
    num_heads: int = 4
    hidden_dim: int = 96
    mlp_dim: int = 192
    augmentation: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("image_size", "patch_size", "num_layers", "num_heads", "hidden_dim", "mlp_dim"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        self._check("augmentation", 0 <= self.augmentation <= 1, "in [0, 1]")
        if not self.backbone:
            self._check("image_size", self.image_size % self.patch_size == 0, "a multiple of patch_size")
            self._check("hidden_dim", self.hidden_dim % self.num_heads == 0, "a multiple of num_heads")


@dataclass(frozen=True)
class TextEncoderConfig(EncoderConfig):
    """The encoder of texts.

    Attributes:
        vocabulary_size: word pieces that are learned, at most; a pretrained backbone brings its own.
        max_length: tokens that are looked at, the two that mark begin and end among them; a pretrained
            backbone has a longest.
        num_layers: layers of the BERT.
        num_heads: its attention heads.
        hidden_dim: its width.
        mlp_dim: width of its MLPs.
        dropout: share of activations dropped in training.
    """

    section: ClassVar[str] = "text_encoder"

    vocabulary_size: int = 4_000
    max_length: int = 32
    num_layers: int = 2
    num_heads: int = 4
    hidden_dim: int = 128
    mlp_dim: int = 256
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_layers", "num_heads", "hidden_dim", "mlp_dim"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        self._check("vocabulary_size", self.vocabulary_size >= 100, "at least 100")
        self._check("max_length", self.max_length >= 3, "at least 3")
        self._check("dropout", 0 <= self.dropout < 1, "in [0, 1)")
        if not self.backbone:
            self._check("hidden_dim", self.hidden_dim % self.num_heads == 0, "a multiple of num_heads")
