"""A dense layer over two inputs of which one may stand for many."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="adlens")
class SplitDense(keras.layers.Layer):
    """A dense layer over the concatenation of two inputs, without concatenating them.

    [a, b] W = a W_a + b W_b, so a first input of one row meets every row of the second and is computed once.

    Args:
        units: int > 0.
        activation: activation of the outputs.
    Call arguments:
        first: float `[batch, first_dim]`, or `[1, first_dim]`.
        second: float `[batch, second_dim]`.
    Returns:
        float `[batch, units]`.
    Raises:
        ValueError: if `units` < 1.
    """

    def __init__(self, units: int, activation: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units must be at least 1, got {units}")
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, first_shape: tuple, second_shape: tuple) -> None:
        self.first_dim = first_shape[-1]
        self.kernel = self.add_weight(shape=(self.first_dim + second_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.built = True

    def call(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        products = tf.matmul(first, kernel[: self.first_dim]) + tf.matmul(second, kernel[self.first_dim :])
        return self.activation(tf.nn.bias_add(products, tf.convert_to_tensor(self.bias)))

    def compute_output_shape(self, first_shape: tuple, second_shape: tuple) -> tuple:
        return (*second_shape[:-1], self.units)

    def get_config(self) -> dict:
        return super().get_config() | {
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }
