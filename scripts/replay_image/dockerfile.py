"""Reads the part of the Dockerfile language that the project's Dockerfile uses, and refuses the rest."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from transforms.input_error import InputError

_KNOWN = ("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "WORKDIR")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = re.compile(rf"\$(?:\{{({_NAME})\}}|({_NAME}))")


@dataclass(frozen=True)
class Instruction:
    """An instruction, its lines joined.

    Attributes:
        line: where it begins, from 1.
        name: in capitals.
        text: what follows the name.
    """

    line: int
    name: str
    text: str


@dataclass
class Stage:
    """A stage.

    Attributes:
        base: the image or the stage that it begins with.
        name: of the stage.
        instructions: those after FROM.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile whose FROM lines are filled in.

    Attributes:
        arguments: the values of the ARGs before the first stage.
        stages: in their order.
    """

    arguments: dict[str, str]
    stages: list[Stage]

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, if there is one."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def needed(self, target: str) -> list[Stage]:
        """The target and what it is made from, in the file's order."""
        wanted = [target]
        for name in wanted:
            stage = self.stage(name)
            if stage is None:
                raise InputError(f"expected a stage of {[each.name for each in self.stages]}, got {name!r}")
            used = [stage.base, *(source for source in map(copied_from, stage.instructions) if source)]
            wanted += [name for name in used if self.stage(name) and name not in wanted]
        return [stage for stage in self.stages if stage.name in wanted]


def read_dockerfile(text: str, build_arguments: Mapping[str, str]) -> Dockerfile:
    """Reads a Dockerfile.

    Args:
        text: the file.
        build_arguments: what `docker build --build-arg` would be given.
    Raises:
        InputError: there is something in it that the replay does not know.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            stages.append(_stage(instruction, arguments))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.name == "ARG":
            name, default = read_argument(instruction)
            arguments[name] = build_arguments.get(name, default or "")
        else:
            raise _error(instruction, "expected ARG or FROM before the first stage")
    if not stages:
        raise InputError("Dockerfile: expected a FROM, found none")
    return Dockerfile(arguments, stages)


def substitute(instruction: Instruction, text: str, values: Mapping[str, str]) -> str:
    """Fills in `$NAME` and `${NAME}`. A name without a value, or another form, is an error."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in values:
            raise _error(instruction, f"${name} has no value")
        return values[name]

    if "$" in _VARIABLE.sub("", text):
        raise _error(instruction, "expected variables as ${NAME}")
    return _VARIABLE.sub(value, text)


def read_argument(instruction: Instruction) -> tuple[str, str | None]:
    """The name and the default of an ARG."""
    found = re.fullmatch(rf"({_NAME})(?:=(\S*))?", instruction.text)
    if found is None:
        raise _error(instruction, "expected one NAME or NAME=value without spaces")
    return found[1], found[2]


def read_environment(instruction: Instruction) -> dict[str, str]:
    """The names and values of an ENV, before variables are filled in."""
    values = {}
    for word in shlex.split(instruction.text):
        name, equals, value = word.partition("=")
        if not equals or re.fullmatch(_NAME, name) is None:
            raise _error(instruction, f"expected NAME=value, got {word!r}")
        values[name] = value
    return values


def read_command(instruction: Instruction) -> list[str]:
    """The words of a CMD or ENTRYPOINT, which are to be a list in JSON."""
    try:
        words = json.loads(instruction.text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise _error(instruction, 'expected a list like ["adlens", "--help"]')
    return words


def read_copy(instruction: Instruction) -> tuple[str | None, list[str], str]:
    """Where a COPY takes from (a stage, or None for the project), what it copies, and where to."""
    words = instruction.text.split()
    source = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    if len(words) < 2 or any(word.startswith(("-", "[", "<<")) or "*" in word for word in words):
        raise _error(instruction, "expected COPY [--from=STAGE] SOURCE... TARGET, without patterns")
    if len(words) > 2 and not words[-1].endswith("/"):
        raise _error(instruction, f"expected a target that ends in / for several sources, got {words[-1]!r}")
    return source, words[:-1], words[-1]


def copied_from(instruction: Instruction) -> str | None:
    """The stage that a COPY takes from; None for all else."""
    return read_copy(instruction)[0] if instruction.name == "COPY" else None


def _stage(instruction: Instruction, arguments: Mapping[str, str]) -> Stage:
    words = substitute(instruction, instruction.text, arguments).split()
    if len(words) != 3 or words[1].upper() != "AS":
        raise _error(instruction, "expected FROM IMAGE AS NAME")
    return Stage(words[0], words[2])


def _instructions(text: str) -> Sequence[Instruction]:
    """Joins lines that end in a backslash. Comments and empty lines are left out, also between such lines."""
    found: list[Instruction] = []
    begun: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        first = first if begun else number
        begun.append(line.rstrip().removesuffix("\\"))
        if not line.rstrip().endswith("\\"):
            found.append(_instruction(first, "".join(begun)))
            begun = []
    if begun:
        raise InputError(f"Dockerfile, line {first}: the last line ends in a backslash")
    return found


def _instruction(line: int, text: str) -> Instruction:
    name, _, rest = text.strip().partition(" ")
    instruction = Instruction(line, name.upper(), rest.strip())
    if instruction.name not in _KNOWN:
        raise _error(instruction, f"{name} is not known here")
    if instruction.name == "RUN" and (instruction.text.startswith(("-", "[")) or "<<" in instruction.text):
        raise _error(instruction, "expected a plain shell command, without flags or here-documents")
    return instruction


def _error(instruction: Instruction, message: str) -> InputError:
    return InputError(f"Dockerfile, line {instruction.line}: {instruction.name}: {message}")
