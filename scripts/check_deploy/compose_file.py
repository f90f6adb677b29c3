"""The Compose file, with its variables filled in."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from compose_spec import PyCompose

from scripts.check_deploy.process import Process

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Z_]+)(?::[-?]([^}]*))?\})")


class ComposeFile:
    """A Compose file.

    Args:
        path: the file; `.env.example` beside it says what its variables may be.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        self.text = path.read_text(encoding="utf-8")
        self.variables = _read_env(path.with_name(".env.example"))
        self.content: dict[str, Any] = yaml.safe_load(self._filled())

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """The services by name."""
        return self.content["services"]

    def used(self) -> set[str]:
        """The variables that the file reads."""
        return {found[1] for found in _VARIABLE.finditer(self.text) if found[1]}

    def refusals(self) -> Iterator[str]:
        """What the Compose specification does not allow."""
        content = {key: value for key, value in self.content.items() if not key.startswith("x-")}
        try:
            PyCompose.from_yaml(yaml.safe_dump(content))
        except ValueError as error:
            yield str(error)

    def processes(self, secrets: Mapping[str, str]) -> Iterator[Process]:
        """The processes of all services.

        Args:
            secrets: what the files of secrets hold, by their names.
        """
        for name, service in self.services.items():
            files: dict[str, str] = {}
            folders = [entry.partition(":")[0] for entry in service.get("tmpfs", [])]
            for volume in service.get("volumes", []):
                source = self.folder / volume["source"]
                if volume["type"] == "bind" and source.is_file():
                    files[volume["target"]] = source.read_text(encoding="utf-8")
                elif volume["type"] == "bind" and volume["source"].startswith("../tf-serving"):
                    files |= {
                        f"{volume['target']}/{each.name}": each.read_text(encoding="utf-8")
                        for each in source.iterdir()
                    }
                else:
                    folders.append(volume["target"])
            for secret in service.get("secrets", []):
                file = Path(self.content["secrets"][secret["source"]]["file"]).name
                if file in secrets:
                    files[secret["target"]] = secrets[file]
            line = (*service.get("entrypoint", []), *service.get("command", []))
            yield Process(name, line, files, tuple(folders))

    def _filled(self) -> str:
        def fill(found: re.Match[str]) -> str:
            return "$" if found[1] is None else self.variables.get(found[1], found[2] or "")

        # A comment may speak of variables too.
        return _VARIABLE.sub(fill, self.text)


def _read_env(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return {key: value for key, _, value in (line.partition("=") for line in lines)}
