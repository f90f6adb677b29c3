"""What the model server is to serve of what the pipeline pushed, in TF Serving's words."""

import os
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.text_encoding import CEscape

MODELS = ("ctr", "recall", "image_encoder", "text_encoder")
# Of an encoder or a recall model the one before the last is needed until all of its vectors have been replaced; of
# any model, where the server starts while the last one cannot be loaded.
NUM_VERSIONS = 2


class ModelsConfig:
    """The configuration file of the models that were pushed, which grows with the first version of another one.

    Args:
        serving: the folder of the pushed models.
        file: the configuration, a ModelServerConfig in protobuf's text format.
    """

    def __init__(self, serving: Path, file: Path) -> None:
        self.serving = serving
        self.file = file
        self._written: list[str] = []

    def pushed(self) -> list[str]:
        """The models that have a version."""
        return [name for name in MODELS if _has_version(self.serving / name)]

    def refresh(self) -> None:
        """Writes the file where other models have a version than when it was written.

        Raises:
            OSError: the models cannot be listed, or the file not be written.
        """
        names = self.pushed()
        if names != self._written:
            partial = self.file.with_name(f"{self.file.name}.partial")
            partial.write_text(self._text(names), encoding="utf-8")
            os.replace(partial, self.file)
            self._written = names

    def _text(self, names: Sequence[str]) -> str:
        models = "".join(
            f'  config {{\n    name: "{name}"\n'
            f'    base_path: "{CEscape(str((self.serving / name).resolve()), as_utf8=True)}"\n'
            '    model_platform: "tensorflow"\n'
            f"    model_version_policy {{ latest {{ num_versions: {NUM_VERSIONS} }} }}\n  }}\n"
            for name in names
        )
        return f"model_config_list {{\n{models}}}\n"


def _has_version(folder: Path) -> bool:
    try:
        return any(name.isdecimal() for name in os.listdir(folder))
    except FileNotFoundError:
        return False
