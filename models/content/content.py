"""What a modality knows of candidates and of their users' behaviors."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from models.layers.knowledge_extractor import KnowledgeExtractor


@dataclass(frozen=True)
class Content:
    """The embeddings of one modality, of length 1; zeros where there is none.

    Attributes:
        target: float32 `[batch, dim]`, of the candidates.
        has_target: bool `[batch]`, True where a candidate has an embedding.
        behaviors: float32 `[batch, length, dim]`, or `[1, length, dim]` where all candidates are one user's.
        has_behavior: bool `[batch, length]` or `[1, length]`, True where a behavior has an embedding.
        shared: whether all candidates are one user's.
    """

    target: tf.Tensor
    has_target: tf.Tensor
    behaviors: tf.Tensor
    has_behavior: tf.Tensor
    shared: bool

    def similarity(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Cosines of each candidate with its user's behaviors, and where they mean something.

        Returns:
            float32 and bool, both `[batch, length]`. Where one of the two embeddings is missing the cosine is
            0, for it is zeros.
        """
        has_both = tf.logical_and(self.has_target[:, None], self.has_behavior)
        if self.shared:
            return tf.matmul(self.target, self.behaviors[0], transpose_b=True), has_both
        return tf.linalg.matvec(self.behaviors, self.target), has_both


def extract_knowledge(
    extractor: KnowledgeExtractor, contents: Sequence[Content]
) -> tuple[tf.Tensor, tf.Tensor]:
    """What MAKE makes of all modalities together: their embeddings side by side.

    Returns:
        The knowledge and the logits of `KnowledgeExtractor`.
    """
    return extractor(
        tf.concat([content.target for content in contents], axis=-1),
        tf.concat([content.behaviors for content in contents], axis=-1),
        tf.reduce_any([content.has_behavior for content in contents], axis=0),
        tf.stack([content.similarity()[0] for content in contents], axis=-1),
        shared=contents[0].shared,
    )
