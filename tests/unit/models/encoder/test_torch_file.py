"""The reader of torch files, on files that are put together opcode by opcode.

The format is torch's before 1.6: pickles of the magic number, the protocol, the machine, the state dict and
the order of the storages; then each storage as a count (int64) and its raw numbers.
"""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.encoder.torch_file import read_torch_tensors
from transforms.input_error import InputError

# LONG1 of ten bytes, as torch writes it.
MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa85019")
NONE, FALSE, TRUE, EMPTY_DICT, EMPTY_TUPLE, REDUCE = b"N", b"\x89", b"\x88", b"}", b")", b"R"


def pickled(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def storage(kind: str, key: str, size: int, view: bytes = NONE) -> bytes:
    parts = text("storage"), named("torch", kind), text(key), text("cpu"), integer(size), view
    return tuple_of(*parts) + b"Q"


def tensor(kept_in: bytes, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    hooks = named("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE
    sizes = tuple_of(*map(integer, shape)), tuple_of(*map(integer, strides))
    arguments = tuple_of(kept_in, integer(offset), *sizes, FALSE, hooks)
    return named("torch._utils", "_rebuild_tensor_v2") + arguments + REDUCE


def state_dict(**tensors: bytes) -> bytes:
    items = b"".join(text(name) + value for name, value in tensors.items())
    return named("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE + b"(" + items + b"u"


def raw(numbers: np.ndarray) -> bytes:
    return struct.pack("<q", numbers.size) + numbers.tobytes()


def torch_file(state: bytes, storages: dict[str, np.ndarray], little_endian: bytes = TRUE) -> bytes:
    machine = EMPTY_DICT + b"(" + text("little_endian") + little_endian + b"u"
    order = b"](" + b"".join(map(text, storages)) + b"e"
    pickles = map(pickled, (MAGIC, integer(1001), machine, state, order))
    return b"".join(pickles) + b"".join(map(raw, storages.values()))


SIX = np.array([0, 1, 2, 3, 4, 5], "<f4")
FLOATS = storage("FloatStorage", "7", 6)
GOOD = torch_file(state_dict(a=tensor(FLOATS, (2, 3), (3, 1))), {"7": SIX})


Read = Callable[[bytes], dict[str, np.ndarray]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: bytes) -> dict[str, np.ndarray]:
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return read_torch_tensors(path)

    return read


def test_tensors_lie_in_their_storages_by_offset_and_strides(read: Read) -> None:
    tensors = read(
        torch_file(
            state_dict(
                rows=tensor(FLOATS, (2, 3), (3, 1)),
                columns=tensor(FLOATS, (3, 2), (1, 3)),
                tail=tensor(FLOATS, (2,), (1,), offset=4),
                steps=tensor(storage("LongStorage", "8", 1), (), ()),
                halves=tensor(storage("HalfStorage", "9", 2), (2, 1), (1, 1)),
                none=tensor(FLOATS, (0, 3), (3, 1)),
            ),
            {"9": np.array([0.5, -2], "<f2"), "7": SIX, "8": np.array([1 << 40], "<i8")},
        )
    )
    assert list(tensors) == ["rows", "columns", "tail", "steps", "halves", "none"]
    assert tensors["rows"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensors["columns"].tolist() == [[0, 3], [1, 4], [2, 5]]  # the same numbers, read by columns
    assert tensors["tail"].tolist() == [4, 5]
    assert tensors["steps"].tolist() == 1099511627776
    assert tensors["halves"].tolist() == [[0.5], [-2]]
    assert tensors["none"].shape == (0, 3)
    assert [str(value.dtype) for value in tensors.values()] == [
        "float32", "float32", "float32", "int64", "float16", "float32",
    ]  # fmt: skip


def test_a_state_dicts_own_attributes_are_passed_over(read: Read) -> None:
    # BUILD with a dict, as torch adds the modules' versions.
    state = state_dict(a=tensor(FLOATS, (6,), (1,))) + EMPTY_DICT + text("_metadata") + EMPTY_DICT + b"sb"
    assert read(torch_file(state, {"7": SIX}))["a"].tolist() == [0, 1, 2, 3, 4, 5]


def test_nothing_is_called(read: Read, tmp_path: Path) -> None:
    trace = tmp_path / "called"
    call = named("pathlib", "Path.touch") + tuple_of(
        named("pathlib", "Path") + tuple_of(text(str(trace))) + REDUCE
    )
    with pytest.raises(InputError, match="a call of pathlib Path"):
        read(torch_file(call + REDUCE, {}))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "pickle exhausted"),
        (b"PK\x03\x04" + GOOD, "a zip file"),
        (pickled(integer(5)) + GOOD, "another file type"),
        (pickled(MAGIC) + pickled(integer(1000)), "another version"),
        (torch_file(state_dict(), {}, little_endian=FALSE), "big-endian"),
        (torch_file(integer(3), {}), "no dict"),
        (torch_file(state_dict(a=integer(3)), {}), "no tensors"),
        (torch_file(named("os", "system") + tuple_of(text("true")) + REDUCE, {}), "a call of os system"),
        (torch_file(b"cos\nsystem\n" + b"(tR", {}), "a call of os system"),
        (torch_file(b"(ios\nsystem\n", {}), "the opcode INST"),
        (torch_file(named("os", "system") + b"\x81", {}), "the opcode NEWOBJ"),
        (torch_file(state_dict(a=tensor(storage("ObjectStorage", "7", 6), (6,), (1,))), {"7": SIX}), "unknown type"),
        (torch_file(state_dict(a=tensor(storage("FloatStorage", "7", 6, tuple_of()), (6,), (1,))), {}), "whole"),
        (torch_file(state_dict(a=tensor(text("7"), (6,), (1,))), {"7": SIX}), "without a storage"),
        # From 1 on, six of six; a step of two, the fourth would be number 6.
        (torch_file(state_dict(a=tensor(FLOATS, (6,), (1,), offset=1)), {"7": SIX}), "beyond"),
        (torch_file(state_dict(a=tensor(FLOATS, (4,), (2,))), {"7": SIX}), "beyond"),
        (torch_file(state_dict(a=tensor(FLOATS, (1000, 1000), (0, 0))), {"7": SIX}), "larger than its storage"),
        (torch_file(state_dict(a=tensor(FLOATS, (2,), (1,), offset=-1)), {"7": SIX}), "in range"),
        (torch_file(state_dict(a=tensor(FLOATS, (2,), (-1,), offset=3)), {"7": SIX}), "in range"),
        (torch_file(state_dict(a=tensor(FLOATS, (2, 3), (1,))), {"7": SIX}), "argument"),
        (torch_file(state_dict(a=tensor(FLOATS, (5,), (1,))), {"7": SIX[:5]}), "5 numbers where 6 were announced"),
        (torch_file(state_dict(a=tensor(FLOATS, (6,), (1,))), {}), "7"),
        (
            torch_file(
                state_dict(a=tensor(FLOATS, (6,), (1,)), b=tensor(storage("FloatStorage", "7", 3), (3,), (1,))),
                {"7": SIX[:3]},
            ),
            "disagree",
        ),
    ],
)  # fmt: skip
def test_another_file_is_refused(read: Read, content: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused(read: Read) -> None:
    for length in range(len(GOOD)):
        with pytest.raises(InputError):
            read(GOOD[:length])
    assert read(GOOD)["a"].shape == (2, 3)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255))
def test_a_changed_byte_gives_tensors_or_an_input_error(read: Read, place: int, value: int) -> None:
    try:
        tensors = read(GOOD[:place] + bytes([value]) + GOOD[place + 1 :])
    except InputError:
        return
    assert all(isinstance(tensor, np.ndarray) and tensor.size <= 6 for tensor in tensors.values())


def test_a_key_that_takes_forever_to_hash_is_refused(read: Read) -> None:
    # t = (t, t), fifty times over: 2^50 leaves, though each level is one object.
    nested = text("x") + b"q\x00" + b"h\x00\x86q\x00" * 49 + b"h\x00\x86"
    as_storage = tuple_of(
        text("storage"), named("torch", "FloatStorage"), nested, text("cpu"), integer(6), NONE
    )
    keys_of_dicts = torch_file(EMPTY_DICT + nested + NONE + b"s", {})
    keys_of_storages = torch_file(state_dict(a=tensor(as_storage + b"Q", (6,), (1,))), {})
    keys_in_order = torch_file(state_dict(), {})[: -len(pickled(b"](e"))] + pickled(b"](" + nested + b"e")
    started = time.perf_counter()
    for content in (keys_of_dicts, keys_of_storages, keys_in_order):
        with pytest.raises(InputError, match="no string|no list of storages"):
            read(content)
    assert time.perf_counter() - started < 5


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)  # a hole: takes no disk
    with pytest.raises(InputError, match="at most 1,073,741,824 bytes, got 1,073,741,825"):
        read_torch_tensors(path)
