"""Measures how soon a new item is usable.

    python benchmarks/freshness.py [--root runs/demo/root] [--logs runs/demo/logs] [--quick]

`adlens serve` runs over what `make demo` has pushed, on this machine and beside this script. For two minutes 20 items a
second are introduced, with pictures and titles of the demo's catalog under new ids. An item is usable when

- `POST /v1/recommend` has scored it with the vectors of its own picture and title (`explain` says "index" for both),
- and then `POST /v1/similar` has brought it, every other item for its own picture, and the others for their own title.

The time runs from when its PUT was due, so a PUT that waits counts, until the last of these answers came. Four threads
ask for all that waits, every 0.2 seconds, which is part of the time and of the load. Coverage is the share of the items
that was usable at the end.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.new_items import Stream, make_items, read_contents
from benchmarks.reporting import Bar, progress, report
from benchmarks.running_stack import RunningStack, copy_root, percentile_ms

RATE, SECONDS, QUICK_SECONDS = 20.0, 120, 20
WARM_UP_ITEMS = 40
PATIENCE_SECONDS = 60.0
P99_BAR_MS = 3_000.0
START_BAR_SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path("runs/demo/root"))
    parser.add_argument("--logs", type=Path, default=Path("runs/demo/logs"))
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS} s of load")
    options = parser.parse_args()
    contents = read_contents(options.logs)
    with tempfile.TemporaryDirectory() as folder:
        stack = RunningStack(copy_root(options.root, Path(folder)))
        try:
            start_seconds = stack.start()
            progress(f"ready after {start_seconds:.0f} s")
            user, *_ = stack.sample_users()
            before = stack.memory_mib()
            Stream(stack, make_items("warm", contents, WARM_UP_ITEMS), RATE, user).run(PATIENCE_SECONDS)
            items = make_items("fresh", contents, int(RATE * (QUICK_SECONDS if options.quick else SECONDS)))
            stream = Stream(stack, items, RATE, user)
            progress(f"{len(items):,} items, {RATE:.0f} a second")
            stream.run(PATIENCE_SECONDS)
            after = stack.memory_mib()
            status = stack.client().get("/v1/status").body
        finally:
            stack.stop()
    usable = [item.usable_at - item.put_at for item in items if item.usable_at is not None]
    taken = [item.taken_at - item.put_at for item in items if item.taken_at is not None]
    coverage = len(usable) / len(items)
    figures = {
        "items": len(items),
        "start_seconds": round(start_seconds, 1),
        "usable_ms": {name: percentile_ms(usable, share) for name, share in (("p50", 0.5), ("p99", 0.99))}
        | {"max": percentile_ms(usable, 1.0)},
        "put_ms": {name: percentile_ms(taken, share) for name, share in (("p50", 0.5), ("p99", 0.99))},
        "coverage": coverage,
        "failed_checks": stream.failed_checks,
        "searches_that_missed": sum(item.tries for item in items),
        "gateway_freshness": status["freshness"],
        "memory_mib": {"before": before, "after": after},
    }
    bars = {
        "usable_p99_ms": Bar(figures["usable_ms"]["p99"], at_most=P99_BAR_MS),
        "coverage": Bar(coverage, at_least=1.0),
        "start_seconds": Bar(round(start_seconds, 1), at_most=START_BAR_SECONDS),
    }
    report("freshness", figures, bars)


if __name__ == "__main__":
    main()
