"""Kubernetes' and Compose's amounts."""

import re
from collections.abc import Mapping

_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# Compose and Redis write powers of two so.
_BINARY = {"": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}


def quantity(text: str) -> float:
    """A Kubernetes quantity as a number: "500m" is 0.5, "2Gi" is 2**31."""
    return _number(text, _UNITS)


def size(text: str) -> float:
    """Bytes of a size of Compose or of Redis: "1gb" is 2**30."""
    return _number(str(text).lower(), _BINARY)


def _number(text: str, units: Mapping[str, float]) -> float:
    found = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(text))
    if found is None or found[2] not in units:
        raise ValueError(f"expected a number with a unit of {', '.join(filter(None, units))}, got {text!r}")
    return float(found[1]) * units[found[2]]
