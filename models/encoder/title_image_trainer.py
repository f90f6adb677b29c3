"""Trains both encoders on titles and pictures of the catalog's items."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from models.encoder.augmentation import Augmentation
from models.encoder.build import build_encoder
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from models.encoder.title_image_model import TitleImageModel
from models.encoder.titled_images import count_titled_images, read_training_items
from models.encoder.trainer import Schedule, fit_rounds
from models.input_pipeline import BATCHES_AT_ONCE, without_autotune
from transforms.input_error import InputError

METHOD = "title_image"


class Towers(NamedTuple):
    """The two encoders that are trained together."""

    image: BytesEncoder
    text: BytesEncoder


class TitledCatalog(NamedTuple):
    """The items that a training may see.

    Attributes:
        files: Parquet files of the catalog.
        created_before: microseconds since 1970-01-01 UTC; later items are left out.
    """

    files: Sequence[str]
    created_before: int


def train_title_image(
    image_config: ImageEncoderConfig,
    text_config: TextEncoderConfig,
    recipe: EncoderConfig,
    catalog: TitledCatalog,
    vocabulary_files: Sequence[str],
    schedule: Schedule,
    checkpoints: Checkpoints,
) -> tuple[Towers, dict[str, Any]]:
    """Builds both encoders and trains them to find an item's title by its picture and the other way around.

    No pair of a query and a purchase is trained on, nor looked at to end the training: it runs its whole
    schedule, and the last weights stay.

    Args:
        image_config: the encoder of pictures, and how they are augmented.
        text_config: the encoder of texts.
        recipe: whose optimizer, batch size, temperature, buffer and order the training has: one of the two
            above.
        catalog: the items.
        vocabulary_files: query pairs whose texts a vocabulary is learned from where the backbone brings none:
            those that the compared encoders' is learned from.
        schedule: how long; the rounds have a checkpoint each.
        checkpoints: where the training leaves what it needs to go on.
    Returns:
        The encoders, and {"items", "steps", "seconds", "curve", "temperature"}.
    Raises:
        InputError: embeddings of different lengths, no item to learn from, no such backbone, or a loss that is
            not finite.
    """
    if image_config.embedding_dim != text_config.embedding_dim:
        raise InputError(
            f"{METHOD} compares pictures with titles, so image_encoder.embedding_dim and "
            f"text_encoder.embedding_dim must be equal, got {image_config.embedding_dim} and "
            f"{text_config.embedding_dim}"
        )
    items = count_titled_images(*catalog)
    if not items:
        raise InputError(
            f"catalog: no item with a title and a picture was created before the training days end, so {METHOD} "
            "has nothing to learn from"
        )
    towers = Towers(
        build_encoder(image_config, vocabulary_files), build_encoder(text_config, vocabulary_files)
    )
    model = TitleImageModel(towers.image.encoder, towers.text.encoder, recipe.temperature)
    augment = (
        Augmentation(image_config.augmentation, recipe.seed) if image_config.augmentation else lambda x: x
    )
    history = fit_rounds(
        model,
        lambda step: training_items(catalog, towers, augment, recipe, step),
        schedule,
        recipe,
        checkpoints,
        dict,  # nothing is measured on the way
    )
    return towers, {"items": items, **history, "temperature": _temperature(model)}


def training_items(
    catalog: TitledCatalog,
    towers: Towers,
    augment: Callable[[tf.Tensor], tf.Tensor],
    recipe: EncoderConfig,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Batches of prepared items without end, from a step on: what `TitleImageModel` takes.

    Args:
        catalog: the items.
        towers: say how inputs are prepared.
        augment: changes pictures at random.
        recipe: batch size, buffer and seed.
        first_step: steps that are behind; their items are passed over, without decoding them.
    """
    items = read_training_items(*catalog, recipe.shuffle_buffer, recipe.seed)
    batches = items.skip(first_step * recipe.batch_size).batch(recipe.batch_size, drop_remainder=True)

    def prepare(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            "image": augment(towers.image.prepare(batch["image"])),
            "text": towers.text.prepare(batch["text"]),
            "item_id": batch["item_id"],
        }

    prepared = batches.map(prepare, num_parallel_calls=BATCHES_AT_ONCE)
    return without_autotune(prepared.prefetch(BATCHES_AT_ONCE))


def _temperature(model: TitleImageModel) -> float:
    return float(keras.ops.exp(-model.log_scale))
