"""Semantic-aware contrastive learning."""

import math
from typing import Any

import keras
from keras import ops

from models.layers.memory_bank import MemoryBank
from models.losses.info_nce import in_batch_negative_terms, info_nce
from models.losses.triplet import triplet_loss

# Lowest temperature 1 / 80: the exponential of a logit stays within float32.
MAX_SCALE = 80.0


@keras.saving.register_keras_serializable(package="adlens")
class SclModel(keras.Model):
    """Draws a query's embedding to that of the item bought for it, and away from other items'.

    With a memory bank, positives and hard negatives are encoded by a momentum key encoder, which follows the
    query encoder as an exponential moving average and gets no gradient; the step's keys replace the oldest of
    the bank before the loss is taken, so the negatives are the bank's other items, this batch's among them.
    Without a bank the query encoder encodes both sides, and the negatives are the batch's other items.

    Momentum update, enqueueing and loss happen in `call`, so that plain `fit` (`compile` with an optimizer
    and no loss) trains it on TensorFlow and JAX, and `fit_replicas` does under a `tf.distribute` strategy.

    Args:
        query_encoder: a built model from inputs to unit vectors `[batch, embedding_dim]`.
        embedding_dim: length of an embedding.
        queue_size: keys in the bank; 0 for none.
        momentum: share of a key weight that stays at an update.
        temperature: the learnable temperature's first value.
        triplet_weight: factor of the triplet loss; 0 for none.
        triplet_margin: squared distance by which a hard negative should lie farther away.
    Call arguments:
        inputs: "query", "positive" and "negative", each what `query_encoder` takes, `[batch, ...]`;
            "has_negative" float32 `[batch]`, 1 or 0; "item_id" int32 `[batch]`, not negative, the positive's item.
        training: whether keys are updated and enqueued.
    Returns:
        float32 `[batch, embedding_dim]`, the queries' embeddings.
    Source: Sheng et al. 2024 (arXiv 2407.19467), sections 3.1 to 3.3 and 6.1.2; He et al. 2020
        (arXiv 1911.05722), algorithm 1.
    """

    def __init__(
        self,
        query_encoder: keras.Model,
        embedding_dim: int,
        queue_size: int = 0,
        momentum: float = 0.999,
        temperature: float = 0.07,
        triplet_weight: float = 1.0,
        triplet_margin: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.query_encoder = query_encoder
        self.embedding_dim = embedding_dim
        self.queue_size = queue_size
        self.momentum = momentum
        self.temperature = temperature
        self.triplet_weight = triplet_weight
        self.triplet_margin = triplet_margin
        self.log_scale = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(1 / temperature)),
            dtype="float32",
            name="log_scale",
        )
        if queue_size:
            self.bank = MemoryBank(queue_size, embedding_dim, name="bank")
            self.bank.build()
            self.key_weights = [self._add_key_weight(weight) for weight in query_encoder.weights]
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> keras.KerasTensor:
        queries = self.query_encoder(inputs["query"], training=training)
        if training and self.queue_size:
            self._follow_queries()
        positives = self._encode_key(inputs["positive"], training)
        scale = ops.exp(ops.minimum(self.log_scale, math.log(MAX_SCALE)))
        terms = self._negative_terms(queries * scale, positives, scale, inputs["item_id"], training)
        loss = ops.mean(info_nce(ops.sum(queries * positives, axis=-1) * scale, terms))
        if self.triplet_weight:
            negatives = self._encode_key(inputs["negative"], training)
            loss += self.triplet_weight * triplet_loss(
                queries, positives, negatives, inputs["has_negative"], self.triplet_margin
            )
        # Replicas take turns whenever one waits for the others' keys, and they share the list of losses: what
        # another left there is not this one's.
        self._clear_losses()
        self.add_loss(loss)
        return queries

    def current_temperature(self) -> float:
        """The temperature as it is learned by now."""
        return 1 / min(math.exp(float(self.log_scale.numpy())), MAX_SCALE)

    def _negative_terms(
        self,
        scaled_queries: keras.KerasTensor,
        positives: keras.KerasTensor,
        scale: keras.KerasTensor,
        item_ids: keras.KerasTensor,
        training: bool,
    ) -> keras.KerasTensor:
        if not self.queue_size:
            return in_batch_negative_terms(scaled_queries, positives, item_ids)
        if training:
            self.bank.enqueue(positives, item_ids)
        return self.bank(scaled_queries, scale, item_ids)

    def _encode_key(self, inputs: Any, training: bool) -> keras.KerasTensor:
        if not self.queue_size:
            return self.query_encoder(inputs, training=training)
        values = dict(zip((id(w) for w in self.query_encoder.weights), self.key_weights, strict=True))
        # Beside the weights: the seeds of dropout, which encoding a key does not use.
        trainable, others = (
            [ops.convert_to_tensor(values.get(id(variable), variable)) for variable in variables]
            for variables in (
                self.query_encoder.trainable_variables,
                self.query_encoder.non_trainable_variables,
            )
        )
        keys, _ = self.query_encoder.stateless_call(trainable, others, inputs, training=False)
        return ops.stop_gradient(keys)

    def _follow_queries(self) -> None:
        for key, weight in zip(self.key_weights, self.query_encoder.weights, strict=True):
            key.assign(key * self.momentum + ops.cast(weight, key.dtype) * (1 - self.momentum))

    def _add_key_weight(self, weight: keras.Variable) -> keras.Variable:
        return self.add_weight(
            shape=weight.shape,
            # A copy: two variables must not share one buffer.
            initializer=lambda *_, **__: ops.copy(weight),
            dtype=weight.dtype,
            trainable=False,
            aggregation="only_first_replica",
            name=f"key_{weight.name}",
        )

    def get_config(self) -> dict:
        return super().get_config() | {
            "query_encoder": keras.saving.serialize_keras_object(self.query_encoder),
            "embedding_dim": self.embedding_dim,
            "queue_size": self.queue_size,
            "momentum": self.momentum,
            "temperature": self.temperature,
            "triplet_weight": self.triplet_weight,
            "triplet_margin": self.triplet_margin,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "SclModel":
        encoder = keras.saving.deserialize_keras_object(config["query_encoder"], custom_objects)
        return cls(**{**config, "query_encoder": encoder})
