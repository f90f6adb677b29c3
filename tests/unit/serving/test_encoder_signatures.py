"""Exported encoders: whatever comes in, what goes out, and that a stranger can load them."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.encoder.build import build_encoder
from models.encoder.bytes_encoder import BytesEncoder
from models.encoder.config import ImageEncoderConfig, TextEncoderConfig
from serving.encoder_signatures import save_encoder
from transforms.canonical_image import canonical_image

sys.path.append(str(Path(__file__).resolve().parents[2] / "support"))
import made_pairs
import odd_images
import session_model

DIM = 8
SMALL: dict[str, Any] = {
    "embedding_dim": DIM,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "mlp_dim": 16,
}
CONFIGS: dict[str, ImageEncoderConfig | TextEncoderConfig] = {
    "image": ImageEncoderConfig(image_size=16, patch_size=8, **SMALL),
    "text": TextEncoderConfig(max_length=8, vocabulary_size=100, **SMALL),
}
INPUT_NAMES = {"image": "image_bytes", "text": "text"}

IMAGES = {
    name: canonical_image(data, max_bytes=20_000_000, max_pixels=50_000_000)[0]
    for name, (data, verdict) in odd_images.odd_images().items()
    if verdict == odd_images.IMAGE
}
TEXTS = {
    "plain": b"a red shoe",
    "empty": b"",
    "blank": b" \t\n\r ",
    "one very long word": b"x" * 100_000,
    "very many words": b"shoe " * 20_000,
    "Chinese": "红色的鞋子".encode(),
    "Arabic": "حذاء أحمر".encode(),
    "emoji": "👟 👩‍👩‍👧‍👦 🏳️‍🌈".encode(),
    "combining marks": ("e\u0301" * 3 + "Z" + "\u0335\u0336\u0337" * 50).encode(),
    "right to left marks": "\u202eshoe\u202c\u200f".encode(),
    "control characters": bytes(range(1, 32)) + b"\x7f",
    "NUL": b"red\0shoe",
    "nothing but NUL": b"\0\0",
    "invalid UTF-8": b"\xff\xfe red \xc3(\xa0\xa1 shoe",
    "a cut character": "鞋".encode()[:2],
    "a surrogate": b"\xed\xa0\x80",
    "reserved tokens": b"[PAD] [CLS] [MASK]",
}
CONTENTS = {"image": IMAGES, "text": TEXTS}


@dataclass(frozen=True)
class Exported:
    """An encoder and what was made of it."""

    encoder: BytesEncoder
    folder: Path
    description: dict

    @property
    def model_dir(self) -> Path:
        return self.folder / "Format-Serving"

    @property
    def contents(self) -> list[bytes]:
        return list(CONTENTS[self.encoder.modality].values())

    def load(self) -> tf.types.experimental.ConcreteFunction:
        loaded = tf.saved_model.load(str(self.model_dir))
        # The signature is only as alive as what was loaded.
        signature = loaded.signatures["serving_default"]
        signature.keep_alive = loaded
        return signature


@pytest.fixture(scope="module", params=["image", "text"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    encoder = build_encoder(CONFIGS[request.param], made_pairs.write_pairs(folder / "pairs", 24))
    return Exported(
        encoder, folder, save_encoder(encoder, "scl", str(folder), str(folder / "Format-Serving"))
    )


def test_there_is_something_to_try() -> None:
    assert len(IMAGES) > 25 and {"CMYK JPEG", "animated WebP", "16-bit gray PNG", "one-pixel PNG"} <= set(
        IMAGES
    )


def test_everything_gets_a_unit_vector_the_same_in_training_and_serving(exported: Exported) -> None:
    served = exported.load()(tf.constant(exported.contents))["embedding"].numpy()
    assert served.shape == (len(exported.contents), DIM) and served.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(served, axis=1), 1, atol=1e-5)
    # As training prepares its inputs: in a tf.data pipeline, then to the model.
    prepared = tf.data.Dataset.from_tensors(exported.contents).map(exported.encoder.prepare)
    trained = np.concatenate([exported.encoder.encoder(inputs, training=False) for inputs in prepared])
    np.testing.assert_allclose(trained, served, atol=1e-5)


def test_a_session_gives_the_same(exported: Exported) -> None:
    served = exported.load()(tf.constant(exported.contents[:3]))["embedding"].numpy()
    inputs = {INPUT_NAMES[exported.encoder.modality]: exported.contents[:3]}
    found = session_model.run_in_session(str(exported.model_dir), "serving_default", inputs)
    np.testing.assert_allclose(found["embedding"], served, atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(exported: Exported) -> None:
    serve = exported.load()
    together = serve(tf.constant(exported.contents))["embedding"].numpy()
    alone = np.concatenate([serve(tf.constant([content]))["embedding"] for content in exported.contents])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_batch_size_is_free(exported: Exported, batch: int) -> None:
    values = tf.constant(exported.contents[:batch])
    assert exported.load()(values)["embedding"].shape == (batch, DIM)
    assert exported.encoder(values).shape == (batch, DIM)


def test_an_empty_batch(exported: Exported) -> None:
    # Texts give no vectors; KerasHub's vision transformer cannot tell an empty batch's shape and says so.
    serve, empty = exported.load(), tf.constant([], tf.string)
    if exported.encoder.modality == "text":
        assert serve(empty)["embedding"].shape == (0, DIM)
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
            serve(empty)


def test_different_contents_get_different_vectors(exported: Exported) -> None:
    chosen = {"image": ("plain PNG", "gray PNG"), "text": ("plain", "very many words")}[
        exported.encoder.modality
    ]
    contents = CONTENTS[exported.encoder.modality]
    first, second = exported.encoder(tf.constant([contents[name] for name in chosen])).numpy()
    assert first @ second < 0.999


def test_the_same_scene_in_other_files_gets_nearly_the_same_vector(exported: Exported) -> None:
    if exported.encoder.modality == "text":
        pairs = [
            (b"Red  SHOE ", b"red shoe"),
            (b"red\0shoe", b"red shoe"),
            (b"\x07red shoe\x1b", b"red shoe"),
        ]
        first, second = (exported.encoder(tf.constant(side)).numpy() for side in zip(*pairs, strict=True))
        np.testing.assert_allclose(first, second, atol=1e-6)
        return
    names = ["plain JPEG", "turned JPEG", "CMYK JPEG", "16-bit color PNG", "animated WebP", "palette PNG"]
    vectors = exported.encoder(tf.constant([IMAGES[name] for name in ("plain PNG", *names)])).numpy()
    assert (vectors[1:] @ vectors[0]).min() > 0.995


def test_a_broken_picture_is_an_error_of_its_request(exported: Exported) -> None:
    if exported.encoder.modality == "text":
        return
    serve = exported.load()
    for data in (b"", b"\xff", b"<html>", IMAGES["plain JPEG"][:100]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve(tf.constant([data]))
    assert serve(tf.constant([IMAGES["plain JPEG"]]))["embedding"].shape == (1, DIM)


def test_description(exported: Exported) -> None:
    written = json.loads((exported.folder / "encoder.json").read_text())
    assert written == exported.description
    fingerprint = written.pop("fingerprint")
    assert written == {"modality": exported.encoder.modality, "method": "scl", "embedding_dim": DIM}
    assert len(fingerprint) == 64 and int(fingerprint, 16)


def test_fingerprint_names_weights_and_preparation(exported: Exported) -> None:
    encoder = exported.encoder
    before = encoder.fingerprint()
    assert encoder.fingerprint() == before
    other = BytesEncoder(encoder.encoder, encoder.prepare, encoder.modality, encoder.preparation + " more")
    assert other.fingerprint() != before
    weight = encoder.encoder.weights[-1]
    value = weight.numpy()
    changed = value.copy()
    changed.flat[0] += 1e-3
    weight.assign(changed)
    assert encoder.fingerprint() != before
    weight.assign(value)
    assert encoder.fingerprint() == before


STRANGER = """
import json, sys
import numpy as np
import tensorflow as tf
if sys.argv[1] == "text":
    import tensorflow_text
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

model = saved_model_pb2.SavedModel()
with open(sys.argv[2] + "/saved_model.pb", "rb") as stream:
    model.ParseFromString(stream.read())
names = set()
for meta_graph in model.meta_graphs:
    graph = meta_graph.graph_def
    functions = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    names |= {node.op for node in nodes} - functions
unknown = sorted(name for name in names if op_def_registry.get(name) is None)
loaded = tf.saved_model.load(sys.argv[2])
contents = tf.io.parse_tensor(tf.io.read_file(sys.argv[3]), tf.string)
embeddings = loaded.signatures["serving_default"](contents)["embedding"]
np.save(sys.argv[4], embeddings.numpy())
modules = {name.split(".")[0] for name in sys.modules}
print(json.dumps({"ops": sorted(names), "unknown": unknown, "modules": sorted(modules)}))
"""


def test_a_stranger_loads_it(exported: Exported, tmp_path: Path) -> None:
    # A process that has nothing of this project, and TF Text only where texts are encoded.
    contents = tf.io.serialize_tensor(tf.constant(exported.contents))
    (tmp_path / "contents.tensor").write_bytes(contents.numpy())
    files = [str(exported.model_dir), str(tmp_path / "contents.tensor"), str(tmp_path / "embeddings.npy")]
    command = [sys.executable, "-c", STRANGER, exported.encoder.modality, *files]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 0, ended.stderr[-3_000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert not {"models", "serving", "transforms", "keras_hub", "tensorflow_transform"} & set(
        found["modules"]
    )
    assert ("tensorflow_text" in found["modules"]) == (exported.encoder.modality == "text")
    # All operations are of TensorFlow or TF Text, and none runs Python.
    assert found["unknown"] == []
    assert not [name for name in found["ops"] if "PyFunc" in name]
    wanted = {"image": "DecodeImage", "text": "WordpieceTokenizeWithOffsets"}[exported.encoder.modality]
    assert any(wanted in name for name in found["ops"])
    expected = exported.encoder(tf.constant(exported.contents)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "embeddings.npy"), expected, atol=1e-5)
