"""The SDK of Kubeflow Pipelines, which the package needs for its commands alone."""

import importlib.util

from transforms.input_error import InputError


def need_sdk() -> None:
    """Raises InputError where the SDK is not installed."""
    if importlib.util.find_spec("kfp") is None:
        raise InputError("this needs the SDK of Kubeflow Pipelines: pip install adlens[kubeflow]")
