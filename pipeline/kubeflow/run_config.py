"""The configuration of a run whose preset is chosen when it starts."""

from typing import Any

from pipeline.config import RunConfig, override
from pipeline.presets import preset


def run_config(name: str, settings: dict[str, Any]) -> RunConfig:
    """The configuration of a preset and settings over it.

    Args:
        name: of the preset; empty: the defaults.
        settings: nested, as a YAML file has them.
    Raises:
        InputError: the name, a key or a value is wrong.
    """
    return override(preset(name) if name else RunConfig(), settings)
