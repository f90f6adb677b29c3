"""Which versions of a model are to be served."""

import os
import re
from collections.abc import Collection
from pathlib import Path

from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)
_LIMIT = 2**63


def list_versions(base_path: Path) -> dict[int, Path]:
    """The folders below a base path whose names are 64-bit integers; of names of one number the last one counts.

    Raises:
        OSError: if the base path cannot be read.
    """
    versions = {}
    for name in sorted(os.listdir(base_path)):
        if _NUMBER.fullmatch(name) and -_LIMIT <= int(name) < _LIMIT and (base_path / name).is_dir():
            versions[int(name)] = base_path / name
    return versions


def wanted_versions(
    versions: Collection[int], policy: FileSystemStoragePathSourceConfig.ServableVersionPolicy
) -> set[int]:
    """Those of the versions that a policy asks for: the latest one, where it asks for nothing."""
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return set(versions)
    if choice == "specific":
        return set(versions) & set(policy.specific.versions)
    return set(sorted(versions)[-max(1, policy.latest.num_versions) :])
