"""Which endpoints `adlens submit` takes, and how it shows what a server says."""

from pathlib import Path

import pytest

from pipeline.kubeflow.submit_server import SubmitServer, one_line
from pipeline.kubeflow.submit_token import SubmitToken
from transforms.input_error import InputError


@pytest.mark.parametrize(
    "endpoint", ["", "kubeflow.example", "ftp://kubeflow.example", "http://", "http://[::1", "http://a:b"]
)
def test_an_endpoint_that_is_no_url(endpoint: str) -> None:
    with pytest.raises(InputError) as caught:
        SubmitServer(endpoint, SubmitToken(None))
    expected = f"--endpoint must be a URL like https://kubeflow.example/pipeline, got {endpoint}"
    assert str(caught.value) == expected


@pytest.mark.parametrize("endpoint", ["https://ann:secret@a.example", "https://a.example/?key=secret"])
def test_an_endpoint_with_a_secret_in_it_is_not_repeated(endpoint: str) -> None:
    with pytest.raises(InputError, match="without a user, a query or a fragment") as caught:
        SubmitServer(endpoint, SubmitToken(None))
    assert "secret" not in str(caught.value)


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--ca-cert .*: no such file"):
        SubmitServer("https://a.example", SubmitToken(None), tmp_path / "ca.pem")


def test_one_line() -> None:
    assert one_line("a\n  b\x1b[0m\u202e c") == "a b [0m c"
    assert one_line("x" * 600) == "x" * 500 + "…"
