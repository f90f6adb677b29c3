"""Training on titles and pictures: it learns from the catalog, and goes on after a kill."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.encoder.checkpoints import Checkpoints
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from models.encoder.title_image_trainer import TitledCatalog, Towers, train_title_image
from models.encoder.trainer import Schedule
from transforms.input_error import InputError

COLORS = {
    "red": (230, 20, 20),
    "green": (20, 200, 40),
    "blue": (20, 40, 230),
    "yellow": (240, 230, 30),
    "black": (10, 10, 10),
    "white": (250, 250, 250),
}
SMALL = {"embedding_dim": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
TRAINING = {"batch_size": 6, "epochs": 1, "learning_rate": 0.01, "warmup_fraction": 0.0, "seed": 1}
IMAGE = ImageEncoderConfig(image_size=8, patch_size=4, augmentation=0.0, **SMALL, **TRAINING)
TEXT = TextEncoderConfig(max_length=12, vocabulary_size=200, dropout=0.0, **SMALL, **TRAINING)


def picture(color: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def catalog(tmp_path: Path) -> TitledCatalog:
    table = pa.table(
        {
            "item_id": list(COLORS),
            "title": list(COLORS),
            "image": [picture(color) for color in COLORS.values()],
            "created_at": pa.array([0] * len(COLORS), pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, tmp_path / "catalog.parquet")
    return TitledCatalog([str(tmp_path / "catalog.parquet")], 1)


@pytest.fixture
def vocabulary(tmp_path: Path) -> list[str]:
    pq.write_table(
        pa.table({"query_text": list(COLORS), "positive_title": list(COLORS)}), tmp_path / "pairs.parquet"
    )
    return [str(tmp_path / "pairs.parquet")]


def encode(towers: Towers) -> tuple[np.ndarray, np.ndarray]:
    images = np.array([picture(color) for color in COLORS.values()], object)
    return towers.image(images).numpy(), towers.text(np.array(list(COLORS), object)).numpy()


def test_both_towers_learn_which_title_belongs_to_which_picture(
    catalog: TitledCatalog, vocabulary: list[str], tmp_path: Path
) -> None:
    towers, history = train_title_image(
        IMAGE, TEXT, IMAGE, catalog, vocabulary, Schedule(60, 60), Checkpoints(str(tmp_path / "c"))
    )
    images, texts = encode(towers)
    similarity = images @ texts.T
    assert similarity.argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]
    assert similarity.argmax(axis=0).tolist() == [0, 1, 2, 3, 4, 5]
    assert (history["items"], history["steps"]) == (6, 60)
    # Before anything is learned, one title among six is found by luck: a loss of about log 6 = 1.8 and more.
    assert history["curve"][-1]["loss"] < 0.5
    assert 1 / 80 <= history["temperature"] < 0.14


class KilledCheckpoints(Checkpoints):
    """Ends the process, as far as a test can, after the first checkpoint."""

    def save(self, model, state, is_best):
        super().save(model, state, is_best)
        raise KeyboardInterrupt


def test_a_killed_training_goes_on_to_the_same_end(
    catalog: TitledCatalog, vocabulary: list[str], tmp_path: Path
) -> None:
    schedule = Schedule(6, 2)
    # One order of items only, so that both trainings see the same batches.
    image = dataclasses.replace(IMAGE, batch_size=6)

    def train(checkpoints: Checkpoints) -> tuple[Towers, dict]:
        return train_title_image(image, TEXT, image, catalog, vocabulary, schedule, checkpoints)

    whole, _ = train(Checkpoints(str(tmp_path / "whole")))
    with pytest.raises(KeyboardInterrupt):
        train(KilledCheckpoints(str(tmp_path / "killed")))
    resumed, history = train(Checkpoints(str(tmp_path / "killed")))
    assert history["steps"] == 6
    assert [point["step"] for point in history["curve"]] == [2, 4, 6]
    for one, other in zip(encode(whole), encode(resumed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    # A training that had ended is only loaded.
    again, history = train(Checkpoints(str(tmp_path / "killed")))
    assert history["steps"] == 6
    np.testing.assert_allclose(encode(again)[0], encode(resumed)[0], atol=1e-6)


def test_embeddings_of_different_lengths(
    catalog: TitledCatalog, vocabulary: list[str], tmp_path: Path
) -> None:
    text = dataclasses.replace(TEXT, embedding_dim=8)
    with pytest.raises(InputError, match="embedding_dim must be equal, got 16 and 8"):
        train_title_image(
            IMAGE, text, IMAGE, catalog, vocabulary, Schedule(1, 1), Checkpoints(str(tmp_path / "c"))
        )


def test_no_item_to_learn_from(catalog: TitledCatalog, vocabulary: list[str], tmp_path: Path) -> None:
    late = catalog._replace(created_before=0)
    with pytest.raises(InputError, match="no item with a title and a picture was created before"):
        train_title_image(
            IMAGE, TEXT, IMAGE, late, vocabulary, Schedule(1, 1), Checkpoints(str(tmp_path / "c"))
        )
