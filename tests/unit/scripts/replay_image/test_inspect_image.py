"""What is found in an image that should not be there."""

from pathlib import Path

import pytest

from scripts.replay_image.builder import Image
from scripts.replay_image.inspect_image import compare_with_lock, find_problems


def put(root: Path, name: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    path.chmod(mode)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    put(tmp_path, "usr/bin/python3.13", 0o755)
    put(tmp_path, "usr/bin/pipewire")
    put(tmp_path, "opt/adlens/lib/python3.13/site-packages/keras/pip.py")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "proc").mkdir()
    put(tmp_path, "proc/any", 0o4777)
    # A link's own mode means nothing.
    (tmp_path / "usr/bin/python3").symlink_to("python3.13")
    return Image(tmp_path, user="10001:10001")


def test_nothing(image: Image) -> None:
    assert list(find_problems(image)) == []


@pytest.mark.parametrize(
    "name, mode, problem",
    [
        ("usr/bin/su", 0o4755, "/usr/bin/su: runs with its owner's rights"),
        ("usr/bin/wall", 0o2755, "/usr/bin/wall: runs with its owner's rights"),
        ("opt/x.py", 0o646, "/opt/x.py: anybody may change it"),
        ("usr/bin/x86_64-linux-gnu-g++-14", 0o755, "/usr/bin/x86_64-linux-gnu-g++-14: a build tool"),
        ("opt/adlens/bin/pip3.13", 0o755, "/opt/adlens/bin/pip3.13: a build tool"),
        ("usr/lib/python3/dist-packages/pip/x", 0o644, "/usr/lib/python3/dist-packages/pip: an installer"),
        ("var/lib/apt/lists/a_Packages", 0o644, "/var/lib/apt/lists/a_Packages: left over"),
        ("usr/include/Python.h", 0o644, "/usr/include/Python.h: left over"),
    ],
)
def test_a_file_too_many(image: Image, name: str, mode: int, problem: str) -> None:
    put(image.root, name, mode)
    assert list(find_problems(image)) == [problem]


def test_a_user_who_is_root_or_has_a_name(image: Image) -> None:
    for user in ("0:0", "root", "adlens", "10001"):
        image.user = user
        assert list(find_problems(image)) == [f"expected a user as numbers, and not root, got {user}"]


def test_distributions_are_those_of_the_lock() -> None:
    lock = "absl-py==1.4.0 \\\n    --hash=sha256:0\nPyYAML==6.0.3 \\\n    --hash=sha256:1\nsix==1.17.0 \\\n"
    installed = {"absl-py": "1.4.0", "pyyaml": "6.0.2", "pytest": "8.0", "adlens": "0.1.0"}
    assert list(compare_with_lock(installed, lock)) == [
        "pytest: the lock says None, the image has 8.0",
        "pyyaml: the lock says 6.0.3, the image has 6.0.2",
        "six: the lock says 1.17.0, the image has None",
    ]
