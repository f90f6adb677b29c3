"""Starts the `tfx` command again in a process where the libraries are set up before TFX imports them.

`tfx pipeline create`, `update` and `compile` read a runner file when TFX has imported TensorFlow and got Keras 3 as
`tf.keras`. It stays so for as long as the process lives: what `transforms.library_setup` says comes too late. Saying
it in the environment does not help: with TF_USE_LEGACY_KERAS=1 TFX imports TensorFlow Recommenders and with it
ScaNN's ops, which this TensorFlow cannot load.
"""

import os
import sys

import click

from transforms import library_setup

_AGAIN = f"""
import {library_setup.__name__}
from tfx.tools.cli.cli_main import cli_group
cli_group(prog_name="tfx")
"""


def restart_set_up() -> None:
    """Does nothing where the libraries are set up; else does not come back.

    Raises:
        RuntimeError: TensorFlow was imported before this project, and not by the `tfx` command.
    """
    loaded = sys.modules.get("tensorflow")
    # Keras 2 has no `version()`.
    if loaded is None or not hasattr(loaded.keras, "version"):
        return
    context = click.get_current_context(silent=True)
    if context is None:
        raise RuntimeError("expected a new process, got one in which tf.keras is Keras 3 already")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-c", _AGAIN, *_words(context), *_options(context)])


def _words(context: click.Context) -> list[str]:
    """The command's words, but for its own name: that may be `python -m …`."""
    return [*_words(context.parent), str(context.info_name)] if context.parent else []


def _options(context: click.Context) -> list[str]:
    return [f"--{name}={value}" for name, value in context.params.items() if isinstance(value, str)]
