"""Raw columns as tensors."""

import math
from typing import Any

import numpy as np
import pytest

from serving.gateway.columns import check_item_features, check_known, item_column, user_column
from serving.gateway.signature import Input
from serving.gateway.tensors import Strings
from transforms.input_error import InputError

TEXT, NUMBER, WHOLE = (Input(np.dtype(each), (None,)) for each in (object, np.float32, np.int64))


def test_strings() -> None:
    column = item_column(["rød", None, 3.0, ""], TEXT)
    assert isinstance(column, Strings)
    # A number where a text belongs is a missing value.
    assert column.values == ["rød".encode(), b"", b"", b""] and column.shape == (4,)


def test_numbers() -> None:
    column = item_column([1, 2.5, None, "x", True, math.nan], NUMBER)
    assert column.dtype == np.float32
    np.testing.assert_array_equal(column, [1, 2.5, math.nan, math.nan, math.nan, math.nan])
    assert np.isnan(item_column([1e39, -math.inf, 10**400], NUMBER)).all()
    whole = item_column([3.0, 2.5, None, 2**63, -(2**63), math.inf, "4", 10**400], WHOLE)
    assert whole.dtype == np.int64 and whole.tolist() == [3, 0, 0, 0, -(2**63), 0, 0, 0]


@pytest.mark.parametrize(
    ("value", "wanted", "message"),
    [
        (3, TEXT, "request.user.x must be a text, got 3"),
        ("3", NUMBER, "request.user.x must be a number, got '3'"),
        (True, NUMBER, "request.user.x must be a number, got True"),
        (1e39, NUMBER, "request.user.x must be a number, got 1e+39"),
        (2.5, WHOLE, "request.user.x must be a whole number, got 2.5"),
        (None, WHOLE, "request.user.x must be given: a whole number has no missing value"),
    ],
)
def test_a_users_feature_of_another_kind(value: Any, wanted: Input, message: str) -> None:
    with pytest.raises(InputError) as error:
        user_column("x", value, wanted)
    assert str(error.value) == message


def test_a_users_missing_features() -> None:
    column = user_column("x", None, TEXT)
    assert isinstance(column, Strings) and column.values == [b""]
    assert np.isnan(user_column("x", None, NUMBER)).tolist() == [True]


def test_checks_names_and_kinds() -> None:
    check_known(["city"], ["city", "age"])
    with pytest.raises(InputError) as error:
        check_known(["city", "agee"], ["city", "age"])
    assert (
        str(error.value) == "request.user must have features among age, city, got 'agee'; did you mean 'age'?"
    )
    check_item_features({"brand": "b", "unknown": 3}, {"brand": TEXT, "price": NUMBER})
    with pytest.raises(InputError, match="item feature brand must be a text, got 3"):
        check_item_features({"brand": 3}, {"brand": TEXT})
