"""ScaNN without its TensorFlow ops, which are built for another TensorFlow and fail to load.

Import ScaNN through this module. The package above has taken the ops out of the way by then
(`transforms.library_setup`); the searcher itself is a pybind module that does not need them.
"""

from types import ModuleType
from typing import Any

from scann.scann_ops.py import scann_ops_pybind


def import_scann_pybind() -> ModuleType:
    """ScaNN's pybind interface: `builder`, `create_searcher`.

    Do not call its `load_searcher` on a folder that may come from elsewhere: it unpickles a file there.
    """
    return scann_ops_pybind


def open_scann_searcher(folder: str, assets: str) -> Any:
    """A searcher over serialized files, without unpickling anything.

    Args:
        folder: where ScaNN's files are; its `scann_config.pb` is read.
        assets: the text of a ScannAssets message that says which file is what, relative to the folder or absolute.
    Returns:
        A `ScannSearcher` of ScaNN's.
    Raises:
        RuntimeError, ValueError: files that ScaNN cannot read.
    """
    native = scann_ops_pybind.scann_pybind.ScannNumpy(folder, assets)
    return scann_ops_pybind.ScannSearcher(native)
