"""How the steps that need no root of their own are replayed."""

from pathlib import Path

import pytest

from scripts.replay_image.builder import Builder, Image
from scripts.replay_image.dockerfile import read_dockerfile
from transforms.input_error import InputError

TEXT = """\
ARG VARIANT=cpu
FROM debian:trixie AS first
ARG VARIANT
ARG NAME=x
ENV A=1 B=$NAME-${VARIANT}
WORKDIR /source
WORKDIR deep
COPY one.txt folder/two.txt ./
COPY folder /all
COPY one.txt renamed
USER 7:8
ENTRYPOINT ["adlens"]
CMD ["--help"]

FROM first AS second
COPY --from=first /source/deep /copied
ENTRYPOINT ["other"]
"""


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    project, base = tmp_path / "project", tmp_path / "base"
    for name in ("one.txt", "folder/two.txt", "folder/sub/three.txt", "folder/hidden.txt"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    (base / "etc").mkdir(parents=True)
    (base / "etc/os").write_text("debian")
    (base / "etc/link").symlink_to("os")
    return Builder(
        read_dockerfile(TEXT, {}),
        project,
        lambda path: path.endswith("hidden.txt"),
        base,
        "debian:trixie",
        tmp_path / "work",
        {"NAME": "y"},
    )


def files(image: Image) -> dict[str, str]:
    return {
        str(path.relative_to(image.root)): path.read_text()
        for path in image.root.rglob("*")
        if path.is_file()
    }


def test_files_and_settings(builder: Builder) -> None:
    image = builder.build("first")
    assert files(image) == {
        "etc/os": "debian",
        "etc/link": "debian",
        "source/deep/one.txt": "one.txt",
        "source/deep/two.txt": "folder/two.txt",
        "source/deep/renamed": "one.txt",
        "all/two.txt": "folder/two.txt",
        "all/sub/three.txt": "folder/sub/three.txt",
    }
    assert (image.root / "etc/link").is_symlink()
    assert (image.environment["A"], image.environment["B"]) == ("1", "y-cpu")
    assert (image.user, image.folder) == ("7:8", "/source/deep")
    assert (image.entry_point, image.command) == (["adlens"], ["--help"])


def test_a_stage_begins_with_another_and_changes_it_not(builder: Builder) -> None:
    image = builder.build("second")
    assert files(image)["copied/two.txt"] == "folder/two.txt"
    assert (image.user, image.environment["A"]) == ("7:8", "1")
    # A new entry point comes without the old one's default command.
    assert (image.entry_point, image.command) == (["other"], [])
    assert not (builder.images["first"].root / "copied").exists()


def test_a_source_that_the_build_does_not_see(builder: Builder) -> None:
    builder.is_ignored = lambda path: True
    with pytest.raises(InputError, match="line 8: the build sees no one.txt"):
        builder.build("first")


def test_another_image_is_refused(builder: Builder) -> None:
    builder.base_image = "debian:forky"
    with pytest.raises(
        InputError, match="stage first: expected to begin with debian:forky, got debian:trixie"
    ):
        builder.build("first")
