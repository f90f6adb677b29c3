"""How a Dockerfile is read, and what is refused."""

import re
from pathlib import Path

import pytest

from scripts.replay_image.dockerfile import (
    Instruction,
    read_argument,
    read_command,
    read_copy,
    read_dockerfile,
    read_environment,
    substitute,
)
from transforms.input_error import InputError

REPOSITORY = Path(__file__).resolve().parents[4]

TEXT = """\
# A comment.
ARG DEBIAN=trixie

FROM debian:${DEBIAN} AS first
RUN one \\
 && two \\
    # between
 && three
ENV A=1 B="two words"
from first as second
COPY --from=first /a /b
FROM debian:$DEBIAN AS other
USER 7:7
"""


def test_stages_and_joined_lines() -> None:
    found = read_dockerfile(TEXT, {})
    assert [(stage.name, stage.base) for stage in found.stages] == [
        ("first", "debian:trixie"),
        ("second", "first"),
        ("other", "debian:trixie"),
    ]
    assert found.stages[0].instructions == [
        Instruction(5, "RUN", "one  && two  && three"),
        Instruction(9, "ENV", 'A=1 B="two words"'),
    ]
    assert found.stages[2].instructions == [Instruction(13, "USER", "7:7")]


def test_a_build_argument_takes_the_place_of_a_default() -> None:
    found = read_dockerfile(TEXT, {"DEBIAN": "forky"})
    assert found.arguments == {"DEBIAN": "forky"}
    assert found.stages[0].base == "debian:forky"


def test_only_what_a_target_is_made_from_is_needed() -> None:
    found = read_dockerfile(TEXT, {})
    assert [stage.name for stage in found.needed("second")] == ["first", "second"]
    assert [stage.name for stage in found.needed("other")] == ["other"]
    with pytest.raises(InputError, match="expected a stage of"):
        found.needed("third")


@pytest.mark.parametrize(
    "text, message",
    [
        ("FROM a AS b\nHEALTHCHECK NONE", "line 2: HEALTHCHECK: HEALTHCHECK is not known here"),
        ("FROM a AS b\nADD x y", "ADD is not known here"),
        ("FROM a", "expected FROM IMAGE AS NAME"),
        ("FROM $A AS b", "$A has no value"),
        ("FROM ${A:-x} AS b", "expected variables as ${NAME}"),
        ("RUN x", "expected ARG or FROM before the first stage"),
        ("FROM a AS b\nRUN --mount=type=cache,target=/x y", "without flags or here-documents"),
        ("FROM a AS b\nRUN <<END", "without flags or here-documents"),
        ('FROM a AS b\nRUN ["x"]', "without flags or here-documents"),
        ("FROM a AS b\nRUN x \\", "the last line ends in a backslash"),
        ("", "expected a FROM, found none"),
    ],
)
def test_what_is_not_known_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_dockerfile(text, {})


def test_copy() -> None:
    assert read_copy(Instruction(1, "COPY", "a b c/")) == (None, ["a", "b"], "c/")
    assert read_copy(Instruction(1, "COPY", "--from=first /a /b")) == ("first", ["/a"], "/b")
    for text in ("a", "a b c", "--chown=1 a b", '["a", "b"]', "a* b/", "--from=first /a"):
        with pytest.raises(InputError, match="COPY: expected"):
            read_copy(Instruction(1, "COPY", text))


def test_values() -> None:
    assert read_argument(Instruction(1, "ARG", "A")) == ("A", None)
    assert read_argument(Instruction(1, "ARG", "A=b/c:1")) == ("A", "b/c:1")
    assert read_environment(Instruction(1, "ENV", 'A=1 B="two words"')) == {"A": "1", "B": "two words"}
    assert read_command(Instruction(1, "CMD", '["a", "b c"]')) == ["a", "b c"]
    assert substitute(Instruction(1, "COPY", ""), "$A-${B}/x", {"A": "1", "B": "2"}) == "1-2/x"
    for name, text, read in (
        ("ARG", "A=1 B=2", read_argument),
        ("ENV", "A 1", read_environment),
        ("CMD", "adlens --help", read_command),
        ("CMD", "[]", read_command),
        ("CMD", '["a", 1]', read_command),
    ):
        with pytest.raises(InputError, match=f"{name}: expected"):
            read(Instruction(1, name, text))


def test_the_projects_own() -> None:
    """The replay knows every step of it; what users run is the last stage, Beam's starter is not in it."""
    found = read_dockerfile((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), {})
    names = [stage.name for stage in found.needed(found.stages[-1].name)]
    assert names == ["python", "tools", "dependencies", "project", "runtime", "adlens"]
    users = [each.text for stage in found.stages for each in stage.instructions if each.name == "USER"]
    assert users == ["10001:10001"]
