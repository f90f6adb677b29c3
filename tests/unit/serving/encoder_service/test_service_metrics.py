"""What is told of the service, in numbers that are counted by hand."""

import json
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from prometheus_client import generate_latest

from serving.embedding_index.errors import IndexUnavailable
from serving.encoder_service.service_metrics import ServiceMetrics
from serving.encoder_service.status_server import StatusServer
from serving.item_queue.errors import QueueUnavailable
from serving.item_queue.new_item import NewItem
from transforms.input_error import InputError


def lines(metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_a_fresh_service_has_counted_nothing(queue, index):
    metrics = ServiceMetrics(queue, index)
    assert metrics.status() == {
        "claims": {"usable": 0, "not_served": 0, "buried": 0, "retried": 0, "lost": 0},
        "coverage": None,
        "freshness": {"items": 0, "p50_seconds": None, "p99_seconds": None, "max_seconds": None},
        "queue": {"waiting": 0, "oldest_seconds": 0.0},
        "index": {"image": {}, "text": {}},
    }
    assert 'adlens_encoder_claims_total{outcome="buried"} 0.0' in lines(metrics)


def test_counts_freshness_and_coverage(queue, index):
    metrics = ServiceMetrics(queue, index)
    metrics.usable([number / 100 for number in range(101)])  # 0 to 1 s
    metrics.count("buried", 4)
    metrics.count("not_served", 5)
    metrics.count("retried", 7)
    status = metrics.status()
    assert status["coverage"] == pytest.approx(101 / 110)
    # Of the 101 values the median is the 51st, 0.50, and the 99th percentile the 100th, 0.99.
    assert status["freshness"] == pytest.approx(
        {"items": 101, "p50_seconds": 0.5, "p99_seconds": 0.99, "max_seconds": 1.0}
    )
    text = lines(metrics)
    assert 'adlens_encoder_claims_total{outcome="usable"} 101.0' in text
    assert 'adlens_encoder_claims_total{outcome="retried"} 7.0' in text
    assert 'adlens_encoder_freshness_seconds_bucket{le="0.1"} 11.0' in text  # 0.00 to 0.10
    assert "adlens_encoder_freshness_seconds_count 101.0" in text


def test_the_queue_and_the_index_are_told_as_they_are(queue, index):
    metrics = ServiceMetrics(queue, index)
    queue.put(NewItem("a", None, "t", "c", "s", 1.0))
    time.sleep(0.05)
    index.put("1", "image", {"a": np.ones(2, np.float32), "b": None})
    index.put("2", "image", {"a": np.ones(2, np.float32)})
    index.serve("image", "1")
    text = lines(metrics)
    assert "adlens_queue_up 1.0" in text and "adlens_index_up 1.0" in text
    assert "adlens_queue_items 1.0" in text
    (oldest,) = [line for line in text if line.startswith("adlens_queue_oldest_seconds ")]
    assert 0.05 <= float(oldest.split()[1]) < 5
    assert 'adlens_index_items{modality="image",served="true",version="1"} 2.0' in text
    assert 'adlens_index_items{modality="image",served="false",version="2"} 1.0' in text
    assert metrics.status()["index"] == {
        "image": {"1": {"items": 2, "served": True}, "2": {"items": 1, "served": False}},
        "text": {},
    }


def test_stores_that_do_not_answer_are_told_too(queue, index, monkeypatch):
    def fail_queue():
        raise QueueUnavailable("gone")

    def fail_index(_modality):
        raise IndexUnavailable("gone")

    monkeypatch.setattr(queue, "waiting", fail_queue)
    monkeypatch.setattr(index, "served_version", fail_index)
    metrics = ServiceMetrics(queue, index)
    text = lines(metrics)
    assert "adlens_queue_up 0.0" in text and "adlens_index_up 0.0" in text
    assert not [line for line in text if line.startswith("adlens_queue_items")]
    status = metrics.status()
    assert (status["queue"], status["index"]) == ({"waiting": None, "oldest_seconds": None}, None)


def test_they_are_served_over_http(queue, index):
    metrics = ServiceMetrics(queue, index)
    healthy = [True]
    with StatusServer("127.0.0.1", 0, metrics.registry, metrics.status, lambda: healthy[0]) as server:

        def get(path):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
                    return response.status, response.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        assert "adlens_queue_up 1.0" in get("/metrics")[1]
        assert json.loads(get("/status")[1]) == metrics.status()
        assert get("/health") == (200, "ok\n")
        healthy[0] = False
        assert get("/health") == (503, "stopped\n")
        assert get("/other") == (404, "expected /metrics, /status or /health\n")
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{server.port}"):
            StatusServer("127.0.0.1", server.port, metrics.registry, metrics.status, lambda: True)
