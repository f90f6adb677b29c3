"""What the scripts in this folder share: progress on stderr, and one JSON line on stdout at the end."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach.

    Attributes:
        value: the figure.
        at_least: its lowest allowed value, or None.
        at_most: its highest allowed value, or None.
    """

    value: float
    at_least: float | None = None
    at_most: float | None = None

    def holds(self) -> bool:
        """Whether the value is within its bounds."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def to_dict(self) -> dict[str, Any]:
        """As the JSON line has it."""
        bounds = {"at_least": self.at_least, "at_most": self.at_most}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        return {"value": self.value} | given | {"holds": self.holds()}


def progress(text: str) -> None:
    """Says on stderr how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


def report(benchmark: str, figures: Mapping[str, Any], bars: Mapping[str, Bar]) -> None:
    """Prints the benchmark's one line of JSON on stdout."""
    line = {
        "benchmark": benchmark,
        "machine": machine(),
        "figures": figures,
        "bars": {name: bar.to_dict() for name, bar in bars.items()},
    }
    print(json.dumps(line), flush=True)


def machine() -> dict[str, Any]:
    """The machine and the versions that the figures belong to, and how busy it was with other work."""
    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "apache-beam", "numpy")}
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "load_average": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
