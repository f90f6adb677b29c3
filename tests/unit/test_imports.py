"""Imports run one way: sources, transforms <- models <- serving <- components <- pipeline.

The rules are checked on the text of the files, so that an import inside a function counts too. They are
tried first on small made-up trees: a guard that nothing can break would guard nothing.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# What each package may import of the project, itself included.
ALLOWED = {
    "transforms": {"transforms"},
    "sources": {"sources", "transforms"},
    "models": {"models", "sources", "transforms"},
    "serving": {"serving", "models", "sources", "transforms"},
    "components": {"components", "serving", "models", "sources", "transforms"},
    "pipeline": {"pipeline", "components", "serving", "models", "sources", "transforms"},
}
# These use the packages; no package uses them.
OUTSIDE = {"benchmarks", "scripts", "tests", "local_runner", "beam_runner", "kubeflow_runner"}
PROJECT = OUTSIDE | set(ALLOWED)

KERAS = {"keras", "keras_cv", "keras_hub", "tensorflow_recommenders", "tf_keras"}
FORBIDDEN_LIBRARIES = {
    "models": {"apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis", "tfx"},
    "sources": KERAS,
    "transforms": KERAS,
}


def violations(root: Path) -> list[str]:
    """Every import below `root` that breaks a rule, as `path:line: what`."""
    return [found for path in project_files(root) for found in violations_of_file(root, path)]


def project_files(root: Path) -> list[Path]:
    folders = [root / name for name in sorted(PROJECT) if (root / name).is_dir()]
    return sorted(root.glob("*.py")) + [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def violations_of_file(root: Path, path: Path) -> Iterator[str]:
    relative = path.relative_to(root)
    package = relative.parts[0]
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for line, module in imported_modules(tree, relative):
        top = module.split(".")[0]
        if top in PROJECT and top not in ALLOWED.get(package, PROJECT):
            yield f"{relative}:{line}: {package} imports {top}"
        if top in FORBIDDEN_LIBRARIES.get(package, ()):
            yield f"{relative}:{line}: {package} imports {top}"
        if f"{module}.".startswith("tensorflow.keras."):
            yield f"{relative}:{line}: tf.keras"
    for line in uses_of_tf_keras(tree):
        yield f"{relative}:{line}: tf.keras"


def imported_modules(tree: ast.AST, relative: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of whatever is imported, at the top of the file or deep in a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = relative.parts[: len(relative.parts) - node.level] if node.level else ()
            # `from tensorflow import keras` imports tensorflow.keras, so the names count as modules.
            for alias in node.names:
                yield node.lineno, ".".join(filter(None, (*above, node.module, alias.name)))
        elif isinstance(node, ast.Call) and (name := name_given_to_import(node)):
            yield node.lineno, name


def name_given_to_import(call: ast.Call) -> str | None:
    """The text in import_module("...") or __import__("..."); None for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
    if function not in ("import_module", "__import__"):
        return None
    given = call.args[0] if call.args else None
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def uses_of_tf_keras(tree: ast.AST) -> Iterator[int]:
    names = {"tensorflow"} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "tensorflow" and alias.asname
    }
    for node in ast.walk(tree):
        keras = isinstance(node, ast.Attribute) and node.attr == "keras"
        if keras and isinstance(node.value, ast.Name) and node.value.id in names:
            yield node.lineno


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        # Up the layers, one for each border.
        ("transforms/a.py", "import sources.b\n", "1: transforms imports sources"),
        ("transforms/a.py", "import models\n", "1: transforms imports models"),
        ("sources/a.py", "from models.ctr import model\n", "1: sources imports models"),
        ("models/ctr/a.py", "import serving.b as b\n", "1: models imports serving"),
        ("serving/a.py", "from components.b import c\n", "1: serving imports components"),
        ("components/x/a.py", "import os, pipeline.config\n", "1: components imports pipeline"),
        ("pipeline/a.py", "from tests.b import c\n", "1: pipeline imports tests"),
        ("models/a.py", "import benchmarks.b\n", "1: models imports benchmarks"),
        ("components/a.py", "import local_runner\n", "1: components imports local_runner"),
        # Hidden in functions, behind conditions, by name, or relative.
        ("models/a.py", "def f():\n    import components.b\n", "2: models imports components"),
        (
            "models/a.py",
            "if 1:\n  try:\n    import pipeline\n  except E:\n    pass\n",
            "3: models imports pipeline",
        ),
        (
            "models/a.py",
            "import importlib\nimportlib.import_module('serving.b')\n",
            "2: models imports serving",
        ),
        ("models/a.py", "__import__('serving')\n", "1: models imports serving"),
        ("models/ctr/a.py", "from ...serving import b\n", "1: models imports serving"),
        ("models/ctr/a.py", "from ... import serving\n", "1: models imports serving"),
        # Libraries.
        ("models/a.py", "from tfx import v1\n", "1: models imports tfx"),
        ("models/a.py", "def f():\n    import apache_beam as beam\n", "2: models imports apache_beam"),
        ("models/a.py", "import tensorflow_model_analysis\n", "1: models imports tensorflow_model_analysis"),
        (
            "models/a.py",
            "import tensorflow_data_validation\n",
            "1: models imports tensorflow_data_validation",
        ),
        ("transforms/a.py", "import keras\n", "1: transforms imports keras"),
        ("transforms/a.py", "import keras_hub\n", "1: transforms imports keras_hub"),
        ("sources/a.py", "from keras import layers\n", "1: sources imports keras"),
        # tf.keras, wherever it is.
        ("models/a.py", "import tensorflow as tf\nx = tf.keras.Model\n", "2: tf.keras"),
        ("models/a.py", "import tensorflow\nx = tensorflow.keras\n", "2: tf.keras"),
        ("models/a.py", "from tensorflow import keras\n", "1: tf.keras"),
        ("components/a.py", "from tensorflow.keras.layers import Dense\n", "1: tf.keras"),
        ("tests/unit/a.py", "import tensorflow.keras as k\n", "1: tf.keras"),
        ("local_runner.py", "import tensorflow as t\nt.keras.backend.clear_session()\n", "2: tf.keras"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, path: str, text: str, expected: str) -> None:
    write(tmp_path, path, text)
    assert violations(tmp_path) == [f"{path}:{expected}"]


def test_right_imports_are_let_through(tmp_path: Path) -> None:
    write(
        tmp_path,
        "transforms/a.py",
        "import apache_beam\nimport tensorflow as tf\nfrom transforms.b import c\n",
    )
    write(tmp_path, "sources/a.py", "import numpy\nfrom transforms import logs\nfrom . import b\n")
    write(
        tmp_path,
        "models/ctr/a.py",
        "import keras\nimport sources.a\nimport transforms.a\nfrom ..b import c\n",
    )
    write(tmp_path, "serving/a.py", "import keras\nimport models.ctr.a\nself.keras = transforms\n")
    write(tmp_path, "components/a/executor.py", "import tfx\nimport serving.a\nimport models\n")
    write(
        tmp_path, "pipeline/a.py", "import components.a\nimport sources.a\nimport tensorflow_model_analysis\n"
    )
    write(tmp_path, "local_runner.py", "import pipeline.a\n")
    write(tmp_path, "tests/a.py", "import pipeline.a\nimport models.a\nimport keras\nimport tfx\n")
    # Not the project's.
    write(tmp_path, ".venv/lib/models/a.py", "import tensorflow.keras\n")
    assert violations(tmp_path) == []


def test_the_project_imports_one_way() -> None:
    files = project_files(REPOSITORY)
    looked_at = {path.relative_to(REPOSITORY).parts[0] for path in files}
    assert set(ALLOWED) <= looked_at, "a package was not found, so its imports were not looked at"
    assert violations(REPOSITORY) == []
