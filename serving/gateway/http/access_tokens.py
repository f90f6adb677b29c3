"""Who may ask."""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from transforms.input_error import InputError

_MIN_LENGTH = 16
_SCHEME = "bearer"


class AccessTokens:
    """The tokens with which one may ask.

    Digests are kept and compared, all of them each time, so that neither the time of an answer nor a dump of
    the memory tells a token.

    Args:
        tokens: each of at least 16 visible ASCII characters; several, so that a new one can come before the
            old one goes.
    Raises:
        InputError: none, or one that is too short or has other characters. The message has no token.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = []
        for number, token in enumerate(tokens, 1):
            is_visible = token.isascii() and token.isprintable() and " " not in token
            if len(token) < _MIN_LENGTH or not is_visible:
                raise InputError(
                    f"token {number}: expected at least {_MIN_LENGTH} visible ASCII characters without blanks"
                )
            self._digests.append(_digest(token.encode()))
        if not self._digests:
            raise InputError("expected at least one token, got none")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a file of tokens, one a line; empty lines do not count.

        Raises:
            InputError: the file cannot be read, or has no tokens or wrong ones.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: expected a file of tokens: {error}") from error
        try:
            return cls(line.strip() for line in lines if line.strip())
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def client_of(self, authorization: bytes | None) -> str | None:
        """A name for who sent this Authorization header; None where it is no token that is known."""
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != _SCHEME.encode():
            return None
        digest = _digest(token.strip())
        known = [hmac.compare_digest(digest, each) for each in self._digests]
        return f"token {known.index(True)}" if any(known) else None


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
