"""MAKE: what embeddings alone say about a click."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from models.layers.target_attention import TargetAttention


@keras.saving.register_keras_serializable(package="adlens")
class KnowledgeExtractor(keras.layers.Layer):
    """The MultimodAl Knowledge Extractor: DIN over embeddings, and an MLP on what it finds.

    v_MAKE is DIN's output: the behaviors summed by their attention, the target, and the product of the two;
    the MLP of four layers (three hidden, one logit) turns it into the click's logit, on which it is trained.

    What the embeddings were trained for is their similarity, but a small MLP over two vectors has to find the
    dot product first, a weight for each dimension. So the attention is told the similarities, and sums them
    with the behaviors. The paper does not say whether theirs does.

    Args:
        attention_units: widths of the attention's hidden layers.
        mlp_units: widths of the MLP's hidden layers.
        num_similarities: similarities of a target and a behavior, one a modality.
    Call arguments:
        target: float `[batch, dim]`; zeros where there is none.
        behaviors: float `[batch, length, dim]`, or `[1, length, dim]` where all targets are one user's.
        padding_mask: bool `[batch, length]` or `[1, length]`, True where a behavior has an embedding.
        similarities: float `[batch, length, num_similarities]`, 0 where they mean nothing.
        shared: whether all targets are one user's; computes what is the user's once.
    Returns:
        knowledge: float `[batch, 3 * dim + num_similarities + sum(mlp_units)]`, v_MAKE and the hidden layers'
            outputs.
        logits: float `[batch]`.
    Raises:
        ValueError: if `attention_units` or `mlp_units` is empty.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 4.3, equations 3 and 4.
    """

    def __init__(
        self,
        attention_units: Sequence[int] = (16,),
        mlp_units: Sequence[int] = (64, 32, 16),
        num_similarities: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not attention_units or not mlp_units:
            raise ValueError(
                f"attention_units and mlp_units must name layers, got {attention_units} and {mlp_units}"
            )
        self.attention_units = tuple(attention_units)
        self.mlp_units = tuple(mlp_units)
        self.num_similarities = num_similarities
        policy = self.dtype_policy
        self.attention = TargetAttention(
            self.attention_units, pair_dim=num_similarities, dtype=policy, name="attention"
        )
        self.hidden_layers = [
            keras.layers.Dense(width, activation="relu", dtype=policy, name=f"hidden_{place}")
            for place, width in enumerate(self.mlp_units)
        ]
        self.logit = keras.layers.Dense(1, dtype=policy, name="logit")

    def build(self, target_shape: tuple, *other_shapes: object) -> None:
        self.dim = target_shape[-1]
        self.attention.build(target_shape)
        width = 3 * self.dim + self.num_similarities
        for layer in self.hidden_layers:
            layer.build((None, width))
            width = layer.units
        self.logit.build((None, width))
        self.built = True

    def call(
        self,
        target: tf.Tensor,
        behaviors: tf.Tensor,
        padding_mask: tf.Tensor,
        similarities: tf.Tensor,
        shared: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        attend = self.attention.score if shared else self.attention
        interest = attend(target, behaviors, padding_mask, similarities)
        outputs = [tf.concat([interest, target, interest[:, : self.dim] * target], axis=-1)]
        for layer in self.hidden_layers:
            outputs.append(layer(outputs[-1]))
        return tf.concat(outputs, axis=-1), self.logit(outputs[-1])[:, 0]

    def knowledge_width(self, dim: int) -> int:
        """How wide the knowledge is for embeddings of `dim`."""
        return 3 * dim + self.num_similarities + sum(self.mlp_units)

    def compute_output_shape(self, target_shape: tuple, *other_shapes: object) -> tuple:
        batch, dim = target_shape
        return (batch, self.knowledge_width(dim)), (batch,)

    def get_config(self) -> dict:
        return super().get_config() | {
            "attention_units": self.attention_units,
            "mlp_units": self.mlp_units,
            "num_similarities": self.num_similarities,
        }
