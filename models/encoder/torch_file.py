"""Reads the tensors of a torch file without torch and without unpickling anything."""

import io
import math
import pickletools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transforms.input_error import InputError

# The three numbers that torch.save wrote first before it changed to zip files (torch/serialization.py).
MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_BYTES = 1 << 30

STORAGE_DTYPES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "i1",
    "torch ByteStorage": "u1",
    "torch BoolStorage": "?",
}
ORDERED_DICT = "collections OrderedDict"
REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"


class Symbol(NamedTuple):
    """A global that the pickle names. It stays a name: nothing is imported or called."""

    name: str


class Storage(NamedTuple):
    """A run of numbers after the pickles, which tensors share."""

    key: str
    dtype: np.dtype
    size: int


class Tensor(NamedTuple):
    """How a tensor lies in its storage; offset and strides count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a state dict that `torch.save` wrote in the format it had before torch 1.6 (no zip file).

    The file is a row of pickles (magic number, protocol, machine, state dict, order of the storages), and the
    storages' raw numbers. A pickle is a program that can call anything, so it is not loaded: its opcodes are
    followed, and only those that a state dict needs. What it calls is limited to making a dict and noting a
    tensor's place. Time and memory stay in proportion to the file, whatever it holds.

    Args:
        path: a file of at most 1 GiB.
    Returns:
        Each tensor by its name, in the file's order: read-only arrays over the file's bytes.
    Raises:
        InputError: if it is not such a file, is cut short, or uses anything else.
    """
    path = Path(path)
    if (size := path.stat().st_size) > MAX_BYTES:
        raise InputError(f"{path}: expected at most {MAX_BYTES:,} bytes, got {size:,}")
    try:
        return _read(io.BytesIO(path.read_bytes()))
    except (IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        # The value in the message may be as large as the file.
        problem = " ".join(f"{error}".split())[:200]
        raise InputError(
            f"{path}: expected a state dict of torch's format before 1.6, got: {problem}"
        ) from error


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    _expect(file.getvalue()[:2] != b"PK", "a zip file, torch's later format")
    _expect(_read_pickle(file) == MAGIC, "another file type")
    _expect(_read_pickle(file) == PROTOCOL, "another version of the format")
    machine = _read_pickle(file)
    _expect(isinstance(machine, dict) and machine.get("little_endian") is True, "a file in big-endian order")
    tensors = _read_pickle(file)
    _expect(isinstance(tensors, dict), "a pickle that is no dict")
    _expect(all(isinstance(tensor, Tensor) for tensor in tensors.values()), "values that are no tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    order = _read_pickle(file)
    _expect(isinstance(order, list) and all(isinstance(key, str) for key in order), "no list of storages")
    numbers = {key: _read_storage(file, storages[key]) for key in order}
    return {name: _view(numbers[tensor.storage.key], tensor) for name, tensor in tensors.items()}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _read_storage(file: io.BytesIO, storage: Storage) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little")
    _expect(size == storage.size, f"a storage of {size} numbers where {storage.size} were announced")
    raw = file.read(size * storage.dtype.itemsize)
    _expect(len(raw) == size * storage.dtype.itemsize, "a storage that is cut short")
    return np.frombuffer(raw, storage.dtype)


def _view(numbers: np.ndarray, tensor: Tensor) -> np.ndarray:
    _expect(len(numbers) == tensor.storage.size, "tensors that disagree about their storage")
    reach = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True))
    # A stride of zero would make an array of any size from one number.
    _expect(math.prod(tensor.shape) <= len(numbers), "a tensor that is larger than its storage")
    _expect(0 in tensor.shape or tensor.offset + reach < len(numbers), "a tensor beyond its storage's end")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)


def _read_pickle(file: io.BytesIO) -> Any:
    """Follows one pickle's opcodes to the value that it describes."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(file):
        machine.step(opcode.name, argument)
    return machine.pop()


class _Machine:
    """The part of the pickle machine that makes dicts, lists, tuples and the three records above."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []  # the stacks below each open mark
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        match opcode:
            case "PROTO" | "STOP":
                pass
            case "NONE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                self.push(argument)
            case "NEWTRUE" | "NEWFALSE":
                self.push(opcode == "NEWTRUE")
            case "EMPTY_DICT":
                self.push({})
            case "EMPTY_LIST":
                self.push([])
            case "EMPTY_TUPLE":
                self.push(())
            case "MARK":
                self.marked.append(self.stack)
                self.stack = []
            case "TUPLE":
                self.push(tuple(self.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.push(tuple(self.pop_many(int(opcode[-1]))))
            case "APPEND":
                self.append([self.pop()])
            case "APPENDS":
                self.append(self.pop_to_mark())
            case "SETITEM":
                self.set_items(self.pop_many(2))
            case "SETITEMS":
                self.set_items(self.pop_to_mark())
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.push(self.memo[argument])
            case "GLOBAL":
                self.push(Symbol(argument))
            case "BINPERSID":
                self.push(_storage(self.pop()))
            case "REDUCE":
                function, arguments = self.pop_many(2)
                self.push(_reduce(function, arguments))
            case "BUILD":
                self.pop()  # a state dict's own attributes: versions of its modules, which no tensor needs
            case _:
                raise ValueError(f"the opcode {opcode}")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def pop_many(self, count: int) -> list[Any]:
        return [self.pop() for _ in range(count)][::-1]

    def pop_to_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.marked.pop()
        return values

    def append(self, values: list[Any]) -> None:
        _expect(isinstance(self.stack[-1], list), "an append to what is no list")
        self.stack[-1].extend(values)

    def set_items(self, values: list[Any]) -> None:
        keys = values[::2]
        _expect(isinstance(self.stack[-1], dict), "an item set in what is no dict")
        # Refused before they are hashed, which for nested tuples may take forever.
        _expect(all(isinstance(key, str) for key in keys), "a key that is no string")
        self.stack[-1].update(zip(keys, values[1::2], strict=True))


def _storage(persistent_id: Any) -> Storage:
    kind, symbol, key, _device, size, view = persistent_id
    _expect(kind == "storage" and view is None, "a persistent id that is no whole storage")
    _expect(isinstance(symbol, Symbol) and symbol.name in STORAGE_DTYPES, "a storage of unknown type")
    _expect(isinstance(key, str), "a storage whose key is no string")
    return Storage(key, np.dtype(STORAGE_DTYPES[symbol.name]), _size(size))


def _reduce(function: Any, arguments: Any) -> Any:
    _expect(isinstance(function, Symbol) and isinstance(arguments, tuple), "a call of what is no function")
    if function.name == ORDERED_DICT and not arguments:
        return {}
    _expect(function.name == REBUILD_TENSOR, f"a call of {function.name}")
    storage, offset, shape, strides, *_gradient_and_hooks = arguments
    _expect(isinstance(storage, Storage), "a tensor without a storage")
    return Tensor(storage, _size(offset), _sizes(shape), _sizes(strides))


def _sizes(values: Any) -> tuple[int, ...]:
    _expect(isinstance(values, tuple), "a shape that is no tuple")
    return tuple(_size(value) for value in values)


def _size(value: Any) -> int:
    _expect(type(value) is int and 0 <= value <= MAX_BYTES, "a size that is no whole number in range")
    return value
