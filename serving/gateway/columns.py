"""Raw columns, as the models' signatures take them."""

import difflib
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from serving.gateway.signature import Input
from serving.gateway.tensors import Strings, Tensor
from transforms.input_error import InputError

Value = str | int | float | None

_INT64 = range(-(2**63), 2**63)


def user_column(name: str, value: Value, wanted: Input) -> Tensor:
    """A feature of the only user, `[1]`; None is a missing value.

    Raises:
        InputError: a value of another kind, or none of a feature of whole numbers, which have no missing value.
    """
    if value is None and wanted.dtype.kind in "iu":
        raise InputError(f"request.user.{name} must be given: a whole number has no missing value")
    if value is not None and not _fits(value, wanted):
        raise InputError(f"request.user.{name} must be {_kind(wanted)}, got {value!a:.80}")
    return item_column([value], wanted)


def item_column(values: Sequence[Value], wanted: Input) -> Tensor:
    """A feature of items, `[items]`.

    What is missing, or does not fit, is a missing value: an empty string, NaN, or 0 where whole numbers are
    wanted. One item with an odd value is not to cost all others their ranking.
    """
    if wanted.dtype == object:
        return Strings([value.encode() if isinstance(value, str) else b"" for value in values])
    fitting = [value if value is not None and _fits(value, wanted) else None for value in values]
    missing = math.nan if wanted.dtype.kind == "f" else 0
    return np.array([missing if value is None else value for value in fitting], wanted.dtype)


def check_item_features(features: Mapping[str, Value], wanted: Mapping[str, Input]) -> None:
    """Checks what a shop says of an item; features that no model knows are let through.

    Raises:
        InputError: a value of another kind.
    """
    for name, value in features.items():
        if name in wanted and not _fits(value, wanted[name]):
            raise InputError(f"item feature {name} must be {_kind(wanted[name])}, got {value!a:.80}")


def check_known(given: Collection[str], known: Collection[str]) -> None:
    """Checks the names of a user's features.

    Raises:
        InputError: one that no model knows.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(
                f"request.user must have features among {', '.join(sorted(known))}, got {name!a:.80}{hint}"
            )


def _fits(value: Value, wanted: Input) -> bool:
    if wanted.dtype == object:
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if wanted.dtype.kind == "f":
        return abs(value) <= float(np.finfo(wanted.dtype).max)
    return (isinstance(value, int) or value.is_integer()) and int(value) in _INT64


def _kind(wanted: Input) -> str:
    if wanted.dtype == object:
        return "a text"
    return "a number" if wanted.dtype.kind == "f" else "a whole number"
