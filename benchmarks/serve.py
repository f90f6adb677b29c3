"""Measures requests for recommendations through all of serving, beside their bare parts in one process.

    python benchmarks/serve.py [--encoders runs/demo/root] [--workers 1] [--quick]

A root is made with 100,000 items, each with an image and a text vector of 128 numbers, and models of the default size
with random weights, for speed does not depend on them (`made_root.py`). `adlens serve` runs over it, with embedded
stores, on this machine and beside this script.

- load: 8 clients, each of which asks for the next 10 ads once it has the last ones, for 60 seconds: a user with 50
  behaviors, 500 items retrieved of 100,000 and reordered, 200 of them ranked. Each answer has to be whole, and not
  "degraded".
- alone: the same requests by one client.
- bare: what such a request does, called one after the other in one process after the stack has ended: the user's vector,
  the search, the reordering, the items' columns and vectors from LMDB, the ranking model. By one thread, and by 8.
- memory of each part (the proportional set size) after a warm-up of the same load, and at the end of it.

The stack's requests a second are to be at least half of the bare parts', by the same number of clients: serving costs at
most as much again. The clients' own work is in the stack's time, and not in the bare parts'.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bare_parts import BareParts
from benchmarks.closed_loop import LoopResult, closed_loop
from benchmarks.made_root import make_root
from benchmarks.reporting import Bar, progress, report
from benchmarks.running_stack import RunningStack, percentile_ms

NUM_USERS = 200
CLIENTS, K = 8, 10
NUM_RETRIEVED, NUM_RANKED = 500, 200
SECONDS, QUICK_SECONDS, WARM_UP_SECONDS = 60.0, 10.0, 10.0
BARE_REQUESTS = 300
# A process that leaks grows with the requests; allocators settle within this.
MAX_GROWTH = 1.1
Bodies = Sequence[Mapping[str, Any]]


def main() -> None:
    """Makes the root, measures both ways, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", type=Path, default=Path("runs/demo/root"), help="a run's root")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:.0f} s of load")
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway")
    options = parser.parse_args()
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_root(root, options.encoders, NUM_USERS)
        stack = RunningStack(root, "--workers", str(options.workers))
        try:
            progress(f"ready after {stack.start():.0f} s")
            bodies = [{**user, "k": K} for user in stack.sample_users()]
            closed_loop(stack, bodies, CLIENTS, lambda elapsed: elapsed < WARM_UP_SECONDS)
            before = stack.memory_mib()
            progress(f"{CLIENTS} clients for {seconds:.0f} s")
            used, own = stack.processor_seconds(), time.process_time()
            load = closed_loop(stack, bodies, CLIENTS, lambda elapsed: elapsed < seconds)
            used = {part: now - used[part] for part, now in stack.processor_seconds().items()}
            used["clients"] = time.process_time() - own
            after = stack.memory_mib()
            alone = closed_loop(stack, bodies, 1, lambda elapsed: elapsed < seconds / 4)
        finally:
            stack.stop()
        progress("bare parts")
        bare = _measure_bare(root, bodies)
    growth = max(after[part] / before[part] for part in before)
    over_bare = load.figures()["requests_per_second"] / bare["requests_per_second_by_8"]
    figures = {
        "workers": options.workers,
        "load": load.figures() | {"stages_ms": _stages(load), "processor_ms": _each(used, len(load.seconds))},
        "alone": alone.figures() | {"stages_ms": _stages(alone)},
        "bare": bare,
        "memory_mib": {"before": before, "after": after},
    }
    bars = {
        "errors": Bar(load.failed + alone.failed, at_most=0),
        "degraded": Bar(sum((load.degraded + alone.degraded).values()), at_most=0),
        "requests_per_second_over_bare": Bar(round(over_bare, 2), at_least=0.5),
        "memory_growth": Bar(round(growth, 3), at_most=MAX_GROWTH),
    }
    report("serve", figures, bars)


def _stages(result: LoopResult) -> dict[str, float]:
    """The median of each stage, as the gateway measured it."""
    return {
        name: round(statistics.median(stages[name] for stages in result.stages_ms), 2)
        for name in result.stages_ms[0]
    }


def _each(seconds: Mapping[str, float], requests: int) -> dict[str, float]:
    """Milliseconds a request."""
    return {name: round(1_000 * each / requests, 2) for name, each in seconds.items()}


def _measure_bare(root: Path, bodies: Bodies) -> dict[str, Any]:
    parts = BareParts(root, NUM_RETRIEVED, NUM_RANKED)
    asked = [bodies[number % len(bodies)] for number in range(BARE_REQUESTS)]

    def seconds_of(body: Mapping[str, Any]) -> dict[str, float]:
        return parts.recommend(body, K)[1]

    for body in asked[:20]:
        seconds_of(body)
    one_by_one = [seconds_of(body) for body in asked]
    totals = [sum(each.values()) for each in one_by_one]
    started, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(seconds_of, asked))
    by_8 = BARE_REQUESTS / (time.perf_counter() - started)
    used = time.process_time() - used
    stages = {
        name: round(1_000 * statistics.median(each[name] for each in one_by_one), 2) for name in one_by_one[0]
    }
    return {
        "p50_ms": percentile_ms(totals, 0.5),
        "p99_ms": percentile_ms(totals, 0.99),
        "requests_per_second": round(len(totals) / sum(totals), 1),
        f"requests_per_second_by_{CLIENTS}": round(by_8, 1),
        "stages_ms": stages,
        "processor_ms": _each({"all": used}, BARE_REQUESTS),
    }


if __name__ == "__main__":
    main()
