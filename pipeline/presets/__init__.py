"""Named configurations; each module's function says how to run it and what to expect."""

from collections.abc import Callable

from pipeline.config import RunConfig
from pipeline.presets.demo import demo
from pipeline.presets.full import full
from pipeline.presets.movielens import movielens
from pipeline.presets.tiny import tiny
from transforms.input_error import InputError

PRESETS: dict[str, Callable[[], RunConfig]] = {
    "tiny": tiny,
    "demo": demo,
    "movielens": movielens,
    "full": full,
}


def preset(name: str) -> RunConfig:
    """The named preset. Raises InputError for an unknown name."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]()
