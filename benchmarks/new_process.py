"""Work in a process of its own, whose peak memory is that of the work."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any


def in_new_process(function: Callable, *args: Any) -> Any:
    """Calls in a new Python. This one stays small: a child's peak starts at its parent's, on Linux."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def peak_memory_bytes() -> int:
    """The most memory that this process has held at once (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024
