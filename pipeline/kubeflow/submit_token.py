"""What a caller shows to be let in."""

import os
from pathlib import Path

from kfp.client.token_credentials_base import TokenCredentialsBase
from kfp_server_api import Configuration

from transforms.input_error import InputError

VARIABLE = "ADLENS_KFP_TOKEN"


class SubmitToken(TokenCredentialsBase):
    """A bearer token in a file or a variable.

    It is read anew for each request, so that a file that somebody renews is good for a long run.

    Args:
        path: the file; None: the variable ADLENS_KFP_TOKEN.
    """

    def __init__(self, path: Path | None):
        self.path = path

    @property
    def given(self) -> bool:
        """Whether there is one. Raises InputError for a file that has none."""
        return bool(self.read())

    def read(self) -> str:
        """The token; empty where the variable is not set. Raises InputError for a file that has none."""
        if self.path is None:
            return _checked(os.environ.get(VARIABLE, ""), VARIABLE)
        try:
            token = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"token file {self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"token file {self.path} holds no text") from error
        if not token.strip():
            raise InputError(f"token file {self.path} is empty")
        return _checked(token, f"token file {self.path}")

    def refresh_api_key_hook(self, config: Configuration) -> None:
        """Puts the token into the header of the request to come."""
        config.api_key["authorization"] = self.read()
        config.api_key_prefix["authorization"] = "Bearer"


def _checked(token: str, place: str) -> str:
    """A header's value is one line of ASCII; the message does not repeat what it is about."""
    token = token.strip()
    if not token.isascii() or any(sign.isspace() or not sign.isprintable() for sign in token):
        raise InputError(f"{place} must hold one token of printable ASCII")
    return token
