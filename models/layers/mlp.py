"""A stack of dense layers."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="adlens")
class Mlp(keras.layers.Layer):
    """Dense layers with an activation between them and none after the last.

    Args:
        units: widths of the layers, at least one.
        activation: activation of all layers but the last.
    Call arguments:
        inputs: float `[..., dim]`.
    Returns:
        float `[..., units[-1]]`.
    Raises:
        ValueError: if `units` is empty.
    """

    def __init__(self, units: tuple[int, ...], activation: str = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not units:
            raise ValueError("units must name at least one layer, got none")
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        hidden = [
            keras.layers.Dense(width, activation=self.activation, dtype=self.dtype_policy)
            for width in units[:-1]
        ]
        self.dense_layers = [*hidden, keras.layers.Dense(units[-1], dtype=self.dtype_policy)]
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        for layer in self.dense_layers:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], layer.units)
        self.built = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        for layer in self.dense_layers:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units[-1])

    def get_config(self) -> dict:
        return super().get_config() | {
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }
