"""Where a store is, said on a command line."""

import argparse
from pathlib import Path

_MAX_BYTES = 4_096


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
