"""What a modality knows of candidates and of their users' behaviors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def similarity(self) -> tf.Tensor:
        """float32 `[batch, length]`, cosines of each candidate with its user's behaviors; 0 where one of the two
        embeddings is missing, for it is zeros."""
        if self.shared:
            return tf.matmul(self.target, self.behaviors[0], transpose_b=True)
        return tf.linalg.matvec(self.behaviors, self.target)

    @property
    def has_similarity(self) -> tf.Tensor:
        """bool `[batch, length]`, True where both embeddings are there."""
        return tf.logical_and(self.has_target[:, None], self.has_behavior)


def extract_knowledge(
    extractor: KnowledgeExtractor, contents: Sequence[Content]
) -> tuple[tf.Tensor, tf.Tensor]:
    """What MAKE makes of all modalities together.

    Returns:
        The knowledge and the logits of `KnowledgeExtractor`.
    """
    return extractor(
        [content.target for content in contents],
        [content.behaviors for content in contents],
        tf.reduce_any([content.has_behavior for content in contents], axis=0),
        tf.stack([content.similarity for content in contents]),
        shared=contents[0].shared,
    )
