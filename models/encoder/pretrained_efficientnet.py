"""Turns EfficientNet-Lite0's ImageNet weights, a torch file, into a preset folder of KerasHub."""

from collections.abc import Iterator
from pathlib import Path

import keras
import keras_hub
import numpy as np

from models.encoder.torch_file import read_torch_tensors
from transforms.input_error import InputError

REPEATS = (1, 2, 2, 3, 3, 4, 1)
# EfficientNet-B0 without squeeze-and-excite and with ReLU6 instead of swish. The weights were trained in
# TensorFlow, so strided convolutions pad as its "same" does, more at the end than at the beginning. KerasHub's
# block "v1" pads alike on both sides, which is right at stride 1 alone; its block "unfused" pads as "same" does,
# but its last convolution is 1x1 only after an expansion. So the first stack, which has neither a stride nor
# an expansion, is "v1", and the others are "unfused".
ARCHITECTURE = {
    "stackwise_width_coefficients": [1.0] * 7,
    "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": list(REPEATS),
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_squeeze_and_excite_ratios": [0.0] * 7,
    "stackwise_block_types": ["v1"] + ["unfused"] * 6,
    "dropout": 0.0,
    "activation": "relu6",
    "include_stem_padding": False,
    "stem_conv_padding": "same",
    "batch_norm_momentum": 0.99,
    "batch_norm_epsilon": 1e-3,
}
# What the weights were trained on: (pixel - 127) / 128, 224 x 224.
PIXEL_SCALE = 1 / 128
PIXEL_OFFSET = -127 / 128
IMAGE_SIZE = (224, 224)
# Of no use without the classifier or in inference.
UNUSED = ("_fc.weight", "_fc.bias", ".num_batches_tracked")


def convert_efficientnet_lite0(torch_file: Path, folder: Path) -> None:
    """Writes the weights as a preset: the backbone, and the image converter that scales its pixels.

    Args:
        torch_file: the state dict of EfficientNet-Lite0 in the names of EfficientNet-PyTorch
            (`_conv_stem.weight`, `_blocks.0._depthwise_conv.weight`, …).
        folder: where to; `keras_hub.models.Backbone.from_preset` reads it.
    Raises:
        InputError: if the file holds another model.
    """
    tensors = {
        name: tensor for name, tensor in read_torch_tensors(torch_file).items() if not name.endswith(UNUSED)
    }
    backbone = keras_hub.models.EfficientNetBackbone(**ARCHITECTURE)
    layers = dict(_layers_by_torch_name(backbone))
    wanted = {
        f"{prefix}.{suffix}": (variable, axes)
        for prefix, layer in layers.items()
        for suffix, variable, axes in _variables(layer)
    }
    if tensors.keys() != wanted.keys():
        different = min(tensors.keys() ^ wanted.keys())
        raise InputError(
            f"{torch_file}: expected EfficientNet-Lite0's tensors, got a difference in {different}"
        )
    for name, (variable, axes) in wanted.items():
        _assign(torch_file, name, variable, tensors[name], axes)
    backbone.save_to_preset(str(folder))
    converter = keras_hub.layers.EfficientNetImageConverter(
        image_size=IMAGE_SIZE, scale=PIXEL_SCALE, offset=PIXEL_OFFSET, interpolation="bicubic"
    )
    converter.save_to_preset(str(folder))


def _layers_by_torch_name(backbone: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    yield "_conv_stem", backbone.get_layer("stem_conv")
    yield "_bn0", backbone.get_layer("stem_bn")
    yield "_blocks.0._depthwise_conv", backbone.get_layer("block1a_dwconv")
    yield "_blocks.0._bn1", backbone.get_layer("block1a_dwconv_bn")
    yield "_blocks.0._project_conv", backbone.get_layer("block1a_project")
    yield "_blocks.0._bn2", backbone.get_layer("block1a_project_bn")
    names = [f"block{i}{'abcd'[j]}_" for i, repeats in enumerate(REPEATS, 1) for j in range(repeats)]
    for index, name in enumerate(names[1:], 1):
        block = backbone.get_layer(name)
        yield f"_blocks.{index}._expand_conv", block.conv1
        yield f"_blocks.{index}._bn0", block.bn1
        yield f"_blocks.{index}._depthwise_conv", block.depthwise
        yield f"_blocks.{index}._bn1", block.bn2
        yield f"_blocks.{index}._project_conv", block.output_conv
        yield f"_blocks.{index}._bn2", block.bn3
    yield "_conv_head", backbone.get_layer("top_conv")
    yield "_bn1", backbone.get_layer("top_bn")


def _variables(layer: keras.Layer) -> list[tuple[str, keras.Variable, tuple[int, ...]]]:
    """Torch's name of each variable, the variable, and the order of torch's axes in it."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return [
            ("weight", layer.gamma, (0,)),
            ("bias", layer.beta, (0,)),
            ("running_mean", layer.moving_mean, (0,)),
            ("running_var", layer.moving_variance, (0,)),
        ]
    # Torch: [out, in, height, width]; a depthwise kernel is [channels, 1, height, width] there and
    # [height, width, channels, 1] in Keras.
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [("weight", layer.kernel, (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]


def _assign(
    torch_file: Path, name: str, variable: keras.Variable, tensor: np.ndarray, axes: tuple[int, ...]
) -> None:
    shape = tuple(variable.shape[axes.index(axis)] for axis in range(len(axes)))
    if tensor.shape != shape or tensor.dtype != np.float32 or not np.isfinite(tensor).all():
        raise InputError(
            f"{torch_file}: {name}: expected finite float32 {shape}, got {tensor.dtype} {tensor.shape}"
        )
    variable.assign(tensor.transpose(axes))
