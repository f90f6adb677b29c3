"""What the encoder service counts, for Prometheus and as a plain dict."""

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serving.embedding_index.embedding_index import EmbeddingIndex
from serving.embedding_index.errors import EmbeddingIndexError
from serving.encoder_service.freshness import Freshness
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.item_queue import ItemQueue

MODALITIES = ("image", "text")
# Seconds; the goal is three.
_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600)
_OUTCOMES = ("usable", "not_served", "buried", "retried", "lost")


class ServiceMetrics(Collector):
    """Counts of one process' workers, and the state of the queue and of the index at the time of asking.

    Outcomes of claims: `usable`, the item's vectors are served; `not_served`, they are in the index under a version
    that is not served yet; `buried`, the item cannot be encoded; `retried`; and `lost`, the lease ran out and
    another worker has the item.

    Args:
        queue: where the items come from.
        index: where their vectors go.
        registry: what Prometheus asks; a new one where absent.
    """

    def __init__(
        self, queue: ItemQueue, index: EmbeddingIndex, registry: CollectorRegistry | None = None
    ) -> None:
        self.queue, self.index = queue, index
        self.registry = registry or CollectorRegistry()
        self.freshness = Freshness()
        self._claims = Counter(
            "adlens_encoder_claims", "Claims by their outcome", ["outcome"], registry=self.registry
        )
        self._histogram = Histogram(
            "adlens_encoder_freshness_seconds",
            "From an item's introduction to its being usable",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        for outcome in _OUTCOMES:
            self._claims.labels(outcome)
        self.registry.register(self)

    def count(self, outcome: str, number: int = 1) -> None:
        """Counts claims that ended alike."""
        self._claims.labels(outcome).inc(number)

    def usable(self, seconds: Sequence[float]) -> None:
        """Counts items that became usable, with the seconds since they were introduced, `[items]`."""
        self.count("usable", len(seconds))
        self.freshness.add(seconds)
        for each in seconds:
            self._histogram.observe(each)

    def status(self) -> dict[str, Any]:
        """Everything as plain values; what the queue or the index does not tell is None."""
        claims = self._counts()
        settled = claims["usable"] + claims["not_served"] + claims["buried"]
        waiting, oldest_seconds = self._queue_state() or (None, None)
        return {
            "claims": claims,
            "coverage": claims["usable"] / settled if settled else None,
            "freshness": self.freshness.status(),
            "queue": {"waiting": waiting, "oldest_seconds": oldest_seconds},
            "index": self._index_state(),
        }

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Prometheus' gauges; those of a store that does not answer are left out."""
        state, index = self._queue_state(), self._index_state()
        yield GaugeMetricFamily("adlens_queue_up", "Whether the queue answers", float(state is not None))
        if state is not None:
            yield GaugeMetricFamily("adlens_queue_items", "Items that are not settled", state[0])
            yield GaugeMetricFamily("adlens_queue_oldest_seconds", "Age of the oldest of them", state[1])
        yield GaugeMetricFamily("adlens_index_up", "Whether the index answers", float(index is not None))
        items = GaugeMetricFamily(
            "adlens_index_items", "Items in the index", labels=["modality", "version", "served"]
        )
        for modality, versions in (index or {}).items():
            for version, facts in versions.items():
                items.add_metric([modality, version, str(facts["served"]).lower()], facts["items"])
        yield items

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: a registry asks this when the collector joins, and the stores need not answer then."""
        return iter(())

    def _counts(self) -> dict[str, int]:
        samples = [sample for metric in self._claims.collect() for sample in metric.samples]
        return {
            sample.labels["outcome"]: int(sample.value)
            for sample in samples
            if sample.name.endswith("_total")
        }

    def _queue_state(self) -> tuple[int, float] | None:
        try:
            return self.queue.waiting(), self.queue.oldest_seconds()
        except QueueUnavailable:
            return None

    def _index_state(self) -> dict[str, dict[str, dict[str, Any]]] | None:
        try:
            return {modality: self._versions(modality) for modality in MODALITIES}
        except EmbeddingIndexError:
            return None

    def _versions(self, modality: str) -> dict[str, dict[str, Any]]:
        served = self.index.served_version(modality)
        return {
            version: {"items": self.index.count(modality, version), "served": version == served}
            for version in self.index.versions(modality)
        }
