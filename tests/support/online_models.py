"""A shop of six items, and models with the true signatures whose answers can be worked out by hand.

    i0 c0 s0 "red shoe"   red      i2 c1 s0 "blue hat"        blue      i4 c2 s0 "green bag"  no picture
    i1 c0 s1 "green shoe" green    i3 c1 s1 "red blue hat"    magenta   i5 c2 s1 no title     white

- `image_encoder`: [red, green, blue] of a picture, each 0 to 1, times a factor. `text_encoder`: how often the words
  red, green and blue stand in a text.
- `ctr`: `click_probability` below says what it answers.
- `recall`: a user's vector is how many behaviors are of c0, c1 and c2, and the sum of the behaviors'
  `new_image_embedding`; an item's is which of the three it is, and its `image_embedding`. So a score is the number of
  behaviors of the item's category, and what its picture has in common with new items. `reorder` takes 10 from an
  item that is a behavior, and adds 0.5 for the titles of each new behavior and new candidate: the words in common.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from made_release import write_catalog
from PIL import Image
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.item_store.item_store import ItemStore
from serving.item_store.stored_item import StoredItem
from serving.model_description import write_description
from serving.release.release import RELEASE_FILE, Release
from serving.release.released_ctr import ReleasedCtr
from serving.release.released_encoder import ReleasedEncoder
from serving.release.released_recall import ReleasedRecall
from serving.release.sample_user import SampleUser
from serving.retrieval.build_index import build_index
from serving.retrieval.config import IndexConfig

MODALITIES = ("image", "text")
DIM = 3
CATEGORIES = ("c0", "c1", "c2")
WORDS = ("red", "green", "blue")
NUM_TIERS = 4
MODELS = ("ctr", "recall", "image_encoder", "text_encoder")
RED, GREEN, BLUE, MAGENTA, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255), (255, 255, 255)

Vector = Sequence[float]


def picture(color: tuple[int, int, int]) -> bytes:
    """A PNG of one color."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(stream, "PNG")
    return stream.getvalue()


@dataclass(frozen=True)
class ShopItem:
    """An item of the shop, and what the encoders give for it."""

    item_id: str
    category_id: str
    shop_id: str
    title: str | None
    color: tuple[int, int, int] | None
    price: float | None = None

    @property
    def image(self) -> bytes | None:
        return None if self.color is None else picture(self.color)

    @property
    def stored(self) -> StoredItem:
        features = {} if self.price is None else {"price": self.price}
        return StoredItem(self.item_id, self.category_id, self.shop_id, self.title, features)

    def vector(self, modality: str) -> list[float] | None:
        if modality == "image":
            return None if self.color is None else [part / 255 for part in self.color]
        return None if self.title is None else [float(self.title.split().count(word)) for word in WORDS]


SHOP = (
    ShopItem("i0", "c0", "s0", "red shoe", RED, price=1.0),
    ShopItem("i1", "c0", "s1", "green shoe", GREEN, price=2.0),
    ShopItem("i2", "c1", "s0", "blue hat", BLUE),
    ShopItem("i3", "c1", "s1", "red blue hat", MAGENTA, price=-3.0),
    ShopItem("i4", "c2", "s0", "green bag", None, price=0.5),
    ShopItem("i5", "c2", "s1", None, WHITE, price=0.0),
)


def click_probability(
    item: ShopItem,
    behaviors: Sequence[ShopItem] = (),
    gender: str = "",
    bias: float = 0.0,
    modalities: Sequence[str] = MODALITIES,
) -> float:
    """What `ctr` answers.

    The sigmoid of: the bias, 1 for a user of gender "f", a tenth of the price, a quarter for each behavior of the
    item's category, and for each behavior and modality a half of the vectors' inner product.
    """
    logit = bias + (gender == "f") + (item.price or 0.0) / 10
    for behavior in behaviors:
        logit += 0.25 * (behavior.category_id == item.category_id)
        for modality in modalities:
            ours, theirs = item.vector(modality), behavior.vector(modality)
            if ours is not None and theirs is not None:
                logit += 0.5 * sum(a * b for a, b in zip(ours, theirs, strict=True))
    return 1 / (1 + math.exp(-logit))


def push_ctr(
    root: Path,
    version: int,
    bias: float = 0.0,
    modalities: Sequence[str] = MODALITIES,
    price: bool = True,
    encoders: Mapping[str, str] | None = None,
) -> None:
    """Pushes a ranking model; without modalities it is one of IDs alone.

    With fingerprints of encoders, it says that it was made with them.
    """
    specs = (
        _strings(("user_id", "gender"), 1)
        | _behaviors(1)
        | _strings(("item_id", "category_id", "shop_id"), None)
    )
    if price:
        specs["price"] = tf.TensorSpec([None], tf.float32, "price")
    for modality in modalities:
        for name, shape in ((modality, (None, DIM)), (f"behavior_{modality}", (1, None, DIM))):
            specs[f"{name}_embedding"] = tf.TensorSpec(shape, tf.float32, f"{name}_embedding")
    module = tf.Module()
    module.bias = tf.Variable(bias)

    def score(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        is_same = columns["category_id"][:, None] == columns["behavior_category_id"]
        logits = module.bias + tf.cast(columns["gender"] == "f", tf.float32)
        logits += 0.25 * tf.reduce_sum(tf.cast(is_same, tf.float32), axis=1)
        if price:
            logits += tf.where(tf.math.is_nan(columns["price"]), 0.0, columns["price"]) / 10
        for modality in modalities:
            behaviors = tf.reduce_sum(columns[f"behavior_{modality}_embedding"][0], axis=0)
            logits += 0.5 * tf.linalg.matvec(columns[f"{modality}_embedding"], behaviors)
        return {"probabilities": tf.sigmoid(logits)}

    signature = tf.function(score).get_concrete_function(**specs)
    _save(module, root / "ctr" / str(version), {"score_candidates": signature}, encoders)


def push_recall(
    root: Path,
    version: int,
    shop: Sequence[ShopItem] = SHOP,
    modalities: Sequence[str] = MODALITIES,
    reorders: bool = True,
    max_added_items: int = 1_000,
    encoders: Mapping[str, str] | None = None,
) -> None:
    """Pushes a recall model and the index of its item vectors; see `push_ctr`."""
    new = {f"new_{modality}_embedding": (None, DIM) for modality in modalities}
    specs_of_new = {name: tf.TensorSpec(shape, tf.float32, name) for name, shape in new.items()}
    specs_of_new |= _strings(("new_item_id",), None) if modalities else {}

    def embed_users(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        is_of = columns["behavior_category_id"][..., None] == tf.constant(CATEGORIES)
        vector = tf.reduce_sum(tf.cast(is_of, tf.float32), axis=1)
        if "image" in modalities:
            content = _new_vectors(columns, "image", columns["behavior_item_id"])
            vector = tf.concat([vector, tf.reduce_sum(content, axis=1)], axis=1)
        return {"user_vector": vector}

    def embed_items(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        vector = tf.cast(columns["category_id"][:, None] == tf.constant(CATEGORIES), tf.float32)
        if "image" in modalities:
            vector = tf.concat([vector, columns["image_embedding"]], axis=1)
        return {"item_vector": vector}

    def reorder(**columns: tf.Tensor) -> dict[str, tf.Tensor]:
        is_had = tf.reduce_any(columns["item_id"][:, None] == columns["behavior_item_id"], axis=1)
        scores = columns["score"] - 10.0 * tf.cast(is_had, tf.float32)
        if "text" in modalities:
            ours = _new_vectors(columns, "text", columns["item_id"])
            theirs = _new_vectors(columns, "text", columns["behavior_item_id"][0])
            scores += 0.5 * tf.linalg.matvec(ours, tf.reduce_sum(theirs, axis=0))
        return {"score": scores}

    users = _strings(("user_id", "gender"), None) | _behaviors(None) | specs_of_new
    items = _strings(("item_id", "category_id", "shop_id"), None)
    items |= {
        f"{each}_embedding": tf.TensorSpec((None, DIM), tf.float32, f"{each}_embedding")
        for each in modalities
    }
    behaviors = {"behavior_item_id": _behaviors(1)["behavior_item_id"]}
    candidates = _strings(("item_id",), None) | {"score": tf.TensorSpec([None], tf.float32, "score")}
    functions = {"serving_default": (embed_users, users), "item_vectors": (embed_items, items)}
    if reorders:
        functions["reorder"] = (reorder, behaviors | candidates | specs_of_new)
    signatures = {
        name: tf.function(function).get_concrete_function(**specs)
        for name, (function, specs) in functions.items()
    }
    module = tf.Module()
    # A SavedModel without variables is taken for a half-written one.
    module.version = tf.Variable(version)
    folder = root / "recall" / str(version)
    _save(module, folder, signatures, encoders)
    vectors = np.array([item_vector(each, "image" in modalities) for each in shop], np.float32)
    index = build_index(
        [each.item_id for each in shop], vectors, str(version), IndexConfig(max_added_items=max_added_items)
    )
    index.save(folder / "assets.extra" / "index")


def item_vector(item: ShopItem, with_image: bool = True) -> list[float]:
    """What `item_vectors` answers."""
    vector = [float(item.category_id == each) for each in CATEGORIES]
    return vector + (item.vector("image") or [0.0] * DIM) if with_image else vector


def push_encoder(root: Path, modality: str, version: int, factor: float = 1.0) -> None:
    """Pushes an encoder."""
    module = tf.Module()
    module.factor = tf.Variable(factor)

    def color(content: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(content, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(pixels, tf.float32) / 255, axis=[0, 1])

    def encode_images(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        colors = tf.map_fn(color, image_bytes, fn_output_signature=tf.TensorSpec([DIM], tf.float32))
        return {"embedding": colors * module.factor}

    def encode_texts(text: tf.Tensor) -> dict[str, tf.Tensor]:
        is_word = tf.strings.split(text).to_tensor("")[..., None] == tf.constant(WORDS)
        return {"embedding": tf.reduce_sum(tf.cast(is_word, tf.float32), axis=1) * module.factor}

    function, name = (encode_images, "image_bytes") if modality == "image" else (encode_texts, "text")
    signature = tf.function(function).get_concrete_function(tf.TensorSpec([None], tf.string, name))
    folder = root / f"{modality}_encoder" / str(version)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})


def write_release(
    root: Path,
    number: int = 1,
    ctr: int = 1,
    recall: int | None = 1,
    encoders: Mapping[str, int] | None = None,
    shop: Sequence[ShopItem] = SHOP,
    factor: float = 1.0,
) -> Release:
    """Writes a release of pushed versions, with the shop's catalog and its embeddings, and a sample user."""
    versions = {modality: 1 for modality in MODALITIES} if encoders is None else encoders
    items = root / "items" / str(number)
    rows = [
        {
            "item_id": each.item_id,
            "category_id": each.category_id,
            "shop_id": each.shop_id,
            "title": each.title,
            "image": each.image,
            "price": each.price,
        }
        for each in shop
    ]
    behaviors = tuple(
        {"item_id": each.item_id, "category_id": each.category_id, "shop_id": each.shop_id}
        for each in shop[:2]
    )
    release = Release(
        number,
        ReleasedCtr(str(ctr), "vector", NUM_TIERS),
        None if recall is None else ReleasedRecall(str(recall)),
        {
            modality: ReleasedEncoder(str(version), f"{modality} {version}")
            for modality, version in versions.items()
        },
        write_catalog(items / "catalog", rows),
        _write_embeddings(items / "embeddings", versions, shop, factor) if versions else None,
        (SampleUser({"user_id": "u0", "gender": "f"}, behaviors),),
    )
    release.write(root / RELEASE_FILE)
    return release


def push_all(root: Path) -> Release:
    """Pushes version 1 of all models, and a release of them."""
    push_ctr(root, 1)
    push_recall(root, 1)
    for modality in MODALITIES:
        push_encoder(root, modality, 1)
    return write_release(root)


def server_models(root: Path, names: Sequence[str] = MODELS) -> ModelServerConfig:
    """What a model server is started with."""
    config = ModelServerConfig()
    for name in names:
        config.model_config_list.config.add(
            name=name, base_path=str(root / name), model_platform="tensorflow"
        )
    return config


def fill_stores(
    index: EmbeddingIndex,
    items: ItemStore,
    shop: Sequence[ShopItem] = SHOP,
    version: str = "1",
    factor: float = 1.0,
) -> None:
    """Puts a catalog and its vectors into the stores, as publishing a release does."""
    items.put([each.stored for each in shop], {each.item_id: each.image for each in shop})
    for modality in MODALITIES:
        index.put(version, modality, vectors_of(shop, modality, factor))
        index.serve(modality, version)


def vectors_of(shop: Sequence[ShopItem], modality: str, factor: float = 1.0) -> dict[str, np.ndarray | None]:
    """What an encoder gives for items, for the embedding index."""
    found = {each.item_id: each.vector(modality) for each in shop}
    return {
        item_id: None if vector is None else np.array(vector, np.float32) * np.float32(factor)
        for item_id, vector in found.items()
    }


def _write_embeddings(
    folder: Path, versions: Mapping[str, int], shop: Sequence[ShopItem], factor: float
) -> str:
    folder.mkdir(parents=True)
    columns = {"item_id": pa.array([each.item_id for each in shop], pa.string())}
    for modality, version in versions.items():
        vectors = vectors_of(shop, modality, factor).values()
        columns[f"{modality}_embedding"] = pa.array(
            [None if each is None else each.tolist() for each in vectors], pa.list_(pa.float32())
        )
        columns[f"{modality}_encoder"] = pa.array([f"{modality} {version}"] * len(shop), pa.string())
    pq.write_table(pa.table(columns), folder / "embeddings-00000.parquet")
    return str(folder)


def _save(
    module: tf.Module, folder: Path, signatures: Mapping[str, Any], encoders: Mapping[str, str] | None
) -> None:
    """Saves beside the place, so that the model server sees a whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    tf.saved_model.save(module, str(partial), signatures=dict(signatures))
    if encoders is not None:
        write_description(str(partial), {"encoders": encoders})
    partial.rename(folder)


def _strings(names: Sequence[str], size: int | None) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec([size], tf.string, name) for name in names}


def _behaviors(users: int | None) -> dict[str, tf.TensorSpec]:
    names = ("behavior_item_id", "behavior_category_id", "behavior_shop_id")
    return {name: tf.TensorSpec([users, None], tf.string, name) for name in names}


def _new_vectors(columns: Mapping[str, tf.Tensor], modality: str, item_ids: tf.Tensor) -> tf.Tensor:
    """`[…, 3]`: the vector that the request brings of each item, zeros where it brings none."""
    is_it = tf.cast(item_ids[..., None] == columns["new_item_id"], tf.float32)
    return tf.einsum("...n,nd->...d", is_it, columns[f"new_{modality}_embedding"])
