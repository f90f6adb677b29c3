"""The secrets as the instructions make them."""

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

_CREATED = re.compile(r"create secret generic (\S+)((?: --from-file=\S+)+)")
_KEY = re.compile(r"--from-file=([^=\s]+)=\S*?([^/\s]+)(?:\s|$)")


def made_secrets(script: Path) -> dict[str, str]:
    """What the script of secrets writes, by the names of the files."""
    with TemporaryDirectory() as folder:
        subprocess.run([str(script), folder], check=True, timeout=30)
        return {each.name: each.read_text(encoding="ascii") for each in Path(folder).iterdir()}


def documented_secrets(text: str, files: dict[str, str]) -> dict[str, dict[str, str]]:
    """The Secrets that a page says how to create from these files, by name and key.

    Raises:
        ValueError: the page names a file that is not made.
    """
    found: dict[str, dict[str, str]] = {}
    for name, keys in _CREATED.findall(text):
        found[name] = {}
        for key, file in _KEY.findall(keys):
            if file not in files:
                raise ValueError(f"Secret {name}: no file {file} is made")
            found[name][key] = files[file]
    return found
