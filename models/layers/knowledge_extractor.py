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

    Two things the paper does not say. Each modality is first projected to a few dimensions, so that the cost of
    DIN and the width of what is handed on do not grow with the embeddings. And what the embeddings were trained
    for is their similarity, which a small MLP over two vectors would have to find first, a weight for each
    dimension: so the attention is told the similarities, and sums them with the behaviors.

    Args:
        attention_units: widths of the attention's hidden layers.
        mlp_units: widths of the MLP's hidden layers.
        projection_dim: int > 0. To how many dimensions each modality is projected.
    Call arguments:
        targets: float `[batch, dim]`, one a modality; zeros where there is none.
        behaviors: float `[batch, length, dim]`, one a modality, or `[1, length, dim]` where all targets are one
            user's.
        padding_mask: bool `[batch, length]` or `[1, length]`, True where a behavior has an embedding.
        similarities: float `[modalities, batch, length]`, 0 where they mean nothing.
        shared: whether all targets are one user's; computes what is the user's once.
    Returns:
        knowledge: float `[batch, knowledge_width]`, v_MAKE and the hidden layers' outputs.
        logits: float `[batch]`.
    Raises:
        ValueError: if `attention_units` or `mlp_units` is empty, or `projection_dim` < 1.
    Source: Sheng et al. 2024 (arXiv 2407.19467), section 4.3, equations 3 and 4.
    """

    def __init__(
        self,
        attention_units: Sequence[int] = (16,),
        mlp_units: Sequence[int] = (64, 32, 16),
        projection_dim: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not attention_units or not mlp_units:
            raise ValueError(
                f"attention_units and mlp_units must name layers, got {attention_units} and {mlp_units}"
            )
        if projection_dim < 1:
            raise ValueError(f"projection_dim must be at least 1, got {projection_dim}")
        self.attention_units = tuple(attention_units)
        self.mlp_units = tuple(mlp_units)
        self.projection_dim = projection_dim
        # Embeddings come with Keras's masks; `padding_mask` says what matters, and knowledge has none.
        self.supports_masking = True
        self.hidden_layers = [
            keras.layers.Dense(width, activation="relu", dtype=self.dtype_policy, name=f"hidden_{place}")
            for place, width in enumerate(self.mlp_units)
        ]
        self.logit = keras.layers.Dense(1, dtype=self.dtype_policy, name="logit")

    def build(self, targets_shape: Sequence[tuple], *other_shapes: object) -> None:
        self.projections = [
            self.add_weight(shape=(shape[-1], self.projection_dim), name=f"projection_{place}")
            for place, shape in enumerate(targets_shape)
        ]
        self.attention = TargetAttention(
            self.attention_units, pair_dim=len(targets_shape), dtype=self.dtype_policy, name="attention"
        )
        self.attention.build((None, self._projected_width(len(targets_shape))))
        width = self._make_width(len(targets_shape))
        for layer in self.hidden_layers:
            layer.build((None, width))
            width = layer.units
        self.logit.build((None, width))
        self.built = True

    def call(
        self,
        targets: Sequence[tf.Tensor],
        behaviors: Sequence[tf.Tensor],
        padding_mask: tf.Tensor,
        similarities: tf.Tensor,
        shared: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        target, projected = self._project(targets), self._project(behaviors)
        attend = self.attention.score if shared else self.attention
        interest = attend(target, projected, padding_mask, similarities)
        product = interest[:, : target.shape[-1]] * target
        outputs = [tf.concat([interest, target, product], axis=-1)]
        for layer in self.hidden_layers:
            outputs.append(layer(outputs[-1]))
        return tf.concat(outputs, axis=-1), self.logit(outputs[-1])[:, 0]

    def _project(self, vectors: Sequence[tf.Tensor]) -> tf.Tensor:
        """The modalities side by side."""
        # As one product of matrices, which TensorFlow computes several times faster than a product a row.
        return tf.concat(
            [
                tf.tensordot(part, tf.convert_to_tensor(projection), axes=1)
                for projection, part in zip(self.projections, vectors, strict=True)
            ],
            axis=-1,
        )

    def knowledge_width(self, num_modalities: int) -> int:
        """How wide the knowledge is."""
        return self._make_width(num_modalities) + sum(self.mlp_units)

    def _projected_width(self, num_modalities: int) -> int:
        return num_modalities * self.projection_dim

    def _make_width(self, num_modalities: int) -> int:
        """Of v_MAKE."""
        return 3 * self._projected_width(num_modalities) + num_modalities

    def compute_mask(self, targets: Sequence[tf.Tensor], previous_mask: object = None) -> None:
        return None

    def compute_output_shape(self, targets_shape: Sequence[tuple], *other_shapes: object) -> tuple:
        batch = targets_shape[0][0]
        return (batch, self.knowledge_width(len(targets_shape))), (batch,)

    def get_config(self) -> dict:
        return super().get_config() | {
            "attention_units": self.attention_units,
            "mlp_units": self.mlp_units,
            "projection_dim": self.projection_dim,
        }
