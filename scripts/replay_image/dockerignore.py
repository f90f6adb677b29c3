"""Which of the project's files a build sees."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from transforms.input_error import InputError


def read_dockerignore(text: str) -> Callable[[str], bool]:
    """Reads a .dockerignore file.

    A pattern speaks of a path and of all below it; the last pattern that does so decides.

    Args:
        text: the file.
    Returns:
        A function that tells of a path, relative to the project, whether it is left out.
    Raises:
        InputError: a pattern has a set of characters or a backslash.
    """
    rules = [_rule(line.strip()) for line in text.splitlines() if line.strip() and not line.startswith("#")]

    def is_ignored(path: str) -> bool:
        names = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
        ignored = False
        for pattern, leaves_out in rules:
            if any(pattern.fullmatch(name) for name in names):
                ignored = leaves_out
        return ignored

    return is_ignored


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    if re.search(r"[\[\]\\]", line):
        raise InputError(f".dockerignore: expected a pattern of names, *, ** and ?, got {line!r}")
    wanted = line.removeprefix("!").strip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", wanted)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(meaning.get(part, re.escape(part)) for part in parts)
    return re.compile(expression), not line.startswith("!")
