"""What Prometheus reads, under TF Serving's names."""

import bisect
import itertools
import threading
from collections.abc import Iterator

# Microseconds: 10 x 1.8^n, up to twenty minutes, as TF Serving's histograms.
BUCKETS = tuple(10.0 * 1.8**power for power in range(33))


# Clients choose the names of models, also of those that are not there.
MAX_LABELS = 10_000


class Metrics:
    """Counts and latencies by their labels; any thread may record.

    The client library of Prometheus appends `_total` to names and takes no other, so the page is written here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[str, int]] = {}
        self._histograms: dict[str, dict[str, list[float]]] = {}

    def count_request(self, model: str, status: str) -> None:
        """One more request, with the code that it ended with."""
        labels = _labels(model_name=model, status=status)
        with self._lock:
            counts = self._counts.setdefault("/tensorflow/serving/request_count", {})
            if labels in counts or len(counts) < MAX_LABELS:
                counts[labels] = counts.get(labels, 0) + 1

    def observe_request(self, model: str, api: str, entrypoint: str, seconds: float) -> None:
        """How long an answered request took."""
        labels = _labels(model_name=model, API=api, entrypoint=entrypoint)
        self._observe("/tensorflow/serving/request_latency", labels, seconds)

    def page(self) -> str:
        """The text that Prometheus reads."""
        with self._lock:
            return "\n".join(itertools.chain(self._count_lines(), self._histogram_lines(), [""]))

    def _observe(self, name: str, labels: str, seconds: float) -> None:
        microseconds = seconds * 1e6
        with self._lock:
            # The sum stands behind the buckets, of which the last has no bound.
            cells = self._histograms.setdefault(name, {}).setdefault(labels, [0] * (len(BUCKETS) + 2))
            cells[bisect.bisect_right(BUCKETS, microseconds)] += 1
            cells[-1] += microseconds

    def _count_lines(self) -> Iterator[str]:
        for name, counts in self._counts.items():
            yield f"# TYPE {_metric(name)} counter"
            yield from (f"{_metric(name)}{{{labels}}} {count}" for labels, count in counts.items())

    def _histogram_lines(self) -> Iterator[str]:
        bounds = [f"{bucket:g}" for bucket in BUCKETS] + ["+Inf"]
        for name, histograms in self._histograms.items():
            yield f"# TYPE {_metric(name)} histogram"
            for labels, cells in histograms.items():
                counts = list(itertools.accumulate(cells[:-1]))
                for bound, count in zip(bounds, counts, strict=True):
                    yield f'{_metric(name)}_bucket{{{labels},le="{bound}"}} {count:g}'
                yield f"{_metric(name)}_sum{{{labels}}} {cells[-1]:g}"
                yield f"{_metric(name)}_count{{{labels}}} {counts[-1]:g}"


def _metric(name: str) -> str:
    return name.replace("/", ":")


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
