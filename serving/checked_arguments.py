"""Checks what callers of a store give, the same for every store."""

import re
from collections.abc import Sequence

from transforms.input_error import InputError

MAX_ID_BYTES = 256
MAX_BATCH = 10_000
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def check_names(**names: str) -> None:
    """Checks names that become parts of keys, given as `modality=modality`.

    Raises:
        InputError: one is too long, empty, or has other signs than letters, digits, "_", "-", "." and ":".
    """
    for what, name in names.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise InputError(
                f"expected a {what} of 1 to 128 letters, digits, '_', '-', '.' or ':', got {shown(name)}"
            )


def check_size(size: int) -> None:
    """Raises InputError where a call has more than `MAX_BATCH` items."""
    if size > MAX_BATCH:
        raise InputError(f"expected at most {MAX_BATCH} items a call, got {size}")


def check_limit(limit: int) -> None:
    """Raises InputError where a call asks for none or for more than `MAX_BATCH` items."""
    if not 1 <= limit <= MAX_BATCH:
        raise InputError(f"expected a limit of 1 to {MAX_BATCH}, got {limit}")


def encode_ids(item_ids: Sequence[str]) -> list[bytes]:
    """Item ids as UTF-8.

    Raises:
        InputError: too many, or one that is no text, empty or too long.
    """
    check_size(len(item_ids))
    return [encode_id(item_id) for item_id in item_ids]


def encode_id(item_id: str) -> bytes:
    """An item id as UTF-8.

    Raises:
        InputError: it is no text, empty or too long.
    """
    if not isinstance(item_id, str):
        raise InputError(f"expected item ids as text, got {type(item_id).__name__}")
    try:
        key = item_id.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"expected an item id that is text, got {shown(item_id)}") from error
    if not 1 <= len(key) <= MAX_ID_BYTES:
        raise InputError(
            f"expected an item id of 1 to {MAX_ID_BYTES} bytes, got {len(key)}: {shown(item_id)}"
        )
    return key


def check_text(what: str, text: str, least: int, most: int) -> None:
    """Checks a text that is stored, given as `"item title", title`.

    Raises:
        InputError: it is no text, not UTF-8, has a zero byte, or not `least` to `most` bytes.
    """
    if not isinstance(text, str):
        raise InputError(f"{what}: expected text, got {type(text).__name__}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InputError(f"{what}: expected a text that UTF-8 can hold, got {text!r:.80}") from None
    if not least <= size <= most:
        raise InputError(f"{what}: expected {least} to {most} bytes, got {size}")
    if "\0" in text:
        raise InputError(f"{what}: expected no zero byte, got {text!r:.80}")


def shown(value: object) -> str:
    """A value as a message may repeat it: ASCII, on one line and short."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
