"""The items of releases, where serving reads them."""

import os
import shutil
from pathlib import Path

from models.parquet_files import list_files

ITEMS_FOLDER = "items"
# A publisher may still read the one before.
KEPT = 2


class ItemFiles:
    """The folders `items/<release>/` beside `release.json`.

    Args:
        serving: the folder of `release.json`.
        number: of the release.
    """

    def __init__(self, serving: Path, number: int) -> None:
        self.number = number
        self._all = serving / ITEMS_FOLDER
        self._own = self._all / str(number)

    def clear(self) -> None:
        """Removes what a run that was killed has left of this release."""
        shutil.rmtree(self._own, ignore_errors=True)

    def take(self, name: str, source: str) -> str:
        """Brings Parquet files into the release's folder, as hard links where the filesystem can.

        Args:
            name: of the folder within the release's.
            source: the folder of the files; one on another filesystem than the local one stays where it is.
        Returns:
            The folder to read them from.
        """
        if "://" in source:
            return source
        folder = self._own / name
        folder.mkdir(parents=True)
        for file in list_files(source):
            target = folder / os.path.basename(file)
            try:
                os.link(file, target)
            except OSError:
                # Another device, or a filesystem without links.
                shutil.copyfile(file, target)
        return str(folder)

    def drop_old(self) -> None:
        """Removes the items of all releases but this one and the one before."""
        for folder in self._all.iterdir():
            if folder.name.isdecimal() and int(folder.name) <= self.number - KEPT:
                shutil.rmtree(folder)
