"""Where a store is, said on a command line."""

import argparse
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from transforms.input_error import InputError

_MAX_BYTES = 4_096
_REDIS = ("redis", "rediss", "unix")


def store_address(text: str) -> str:
    """The type of --index, --items and --queue: an address, or `@FILE` for the one line of a file.

    The address of a Redis has its password, and all users of a machine can read the command lines of its
    processes. So the password stays in a file that is mounted as a secret.

    Args:
        text: of the argument.
    Returns:
        The address.
    Raises:
        argparse.ArgumentTypeError: the file cannot be read or has anything but one line. The message has no
            part of it.
    """
    if not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open("rb") as stream:
            lines = stream.read(_MAX_BYTES + 1).decode("utf-8").splitlines()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"expected an address in {text[1:]}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(f"expected an address in {text[1:]}, got no UTF-8") from error
    if len(lines) != 1 or not lines[0].strip() or len(lines[0]) > _MAX_BYTES:
        raise argparse.ArgumentTypeError(f"expected one line with an address in {text[1:]}, got {len(lines)}")
    return lines[0].strip()


def is_redis(address: str, what: str) -> bool:
    """Whether an address is that of a Redis; otherwise it is a path.

    Args:
        address: of a store.
        what: was expected, for the error: "an index at redis:// or in a folder".
    Raises:
        InputError: a URL of another kind, or the client of Redis is not installed.
    """
    scheme = urlsplit(address).scheme
    if scheme in _REDIS:
        if find_spec("redis") is None:
            raise InputError(f"expected the package redis for {scheme}://, got none")
        return True
    if "://" in address:
        raise InputError(f"expected {what}, got {scheme}://")
    return False
