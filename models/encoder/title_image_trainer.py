"""Trains both encoders on titles and pictures of the catalog's items."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from models.distribution.lost_worker import lost_worker_as_input_error
from models.distribution.strategy import open_strategy
from models.encoder.augmentation import Augmentation
from models.encoder.build import build_encoder, leave_strategy
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.checkpoints import Checkpoints
from models.encoder.config import EncoderConfig, ImageEncoderConfig, TextEncoderConfig
from models.encoder.title_image_model import TitleImageModel
from models.encoder.titled_images import count_titled_images, read_training_items
from models.encoder.trainer import RESUME, Schedule, fit_rounds
from models.encoder.training_input import Batch, TrainingInput
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
    strategy = open_strategy(recipe.strategy)
    items = count_titled_images(*catalog)
    if not items:
        raise InputError(
            f"catalog: no item with a title and a picture was created before the training days end, so {METHOD} "
            "has nothing to learn from"
        )
    with lost_worker_as_input_error(recipe.strategy, RESUME):
        with strategy.scope():
            towers = Towers(
                build_encoder(image_config, vocabulary_files), build_encoder(text_config, vocabulary_files)
            )
            model = TitleImageModel(towers.image.encoder, towers.text.encoder, recipe.temperature)
        augment = (
            Augmentation(image_config.augmentation, recipe.seed) if image_config.augmentation else lambda x: x
        )
        history = fit_rounds(
            model,
            training_input(catalog, towers, augment, recipe),
            schedule,
            recipe,
            checkpoints,
            dict,  # nothing is measured on the way
        )
    alone = Towers(
        leave_strategy(towers.image, image_config, recipe.strategy),
        leave_strategy(towers.text, text_config, recipe.strategy),
    )
    return alone, {"items": items, **history, "temperature": _temperature(model)}


def training_input(
    catalog: TitledCatalog,
    towers: Towers,
    augment: Callable[[tf.Tensor], tf.Tensor],
    recipe: EncoderConfig,
) -> TrainingInput:
    """Batches of items without end: what `TitleImageModel` takes.

    Args:
        catalog: the items.
        towers: say how inputs are prepared.
        augment: changes pictures at random.
        recipe: batch size, buffer and seed.
    """

    def stored(first_step: int) -> tf.data.Dataset:
        items = read_training_items(*catalog, recipe.shuffle_buffer, recipe.seed)
        return items.skip(first_step * recipe.batch_size).batch(recipe.batch_size, drop_remainder=True)

    def prepare(batch: Batch) -> Batch:
        return {
            "image": augment(towers.image.prepare(batch["image"])),
            "text": towers.text.prepare(batch["text"]),
            "item_id": batch["item_id"],
        }

    return TrainingInput(stored, prepare)


def _temperature(model: TitleImageModel) -> float:
    return float(keras.ops.exp(-model.log_scale))
