"""The page of metrics."""

from prometheus_client.parser import text_string_to_metric_families

from serving.model_server.metrics import MAX_LABELS, Metrics


def test_counts_and_buckets() -> None:
    metrics = Metrics()
    for status in ("OK", "OK", "NOT_FOUND"):
        metrics.count_request("m", status)
    # 10 x 1.8 = 18 microseconds end the second bucket, 32.4 the third.
    for seconds in (5e-6, 17e-6, 20e-6, 1e9):
        metrics.observe_request("m", "Predict", "GRPC", seconds)
    lines = metrics.page().splitlines()
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    assert ':tensorflow:serving:request_count{model_name="m",status="OK"} 2' in lines
    assert ':tensorflow:serving:request_count{model_name="m",status="NOT_FOUND"} 1' in lines
    name, labels = ":tensorflow:serving:request_latency", 'model_name="m",API="Predict",entrypoint="GRPC"'
    assert f'{name}_bucket{{{labels},le="10"}} 1' in lines
    assert f'{name}_bucket{{{labels},le="18"}} 2' in lines
    assert f'{name}_bucket{{{labels},le="32.4"}} 3' in lines
    assert f'{name}_bucket{{{labels},le="+Inf"}} 4' in lines
    assert f"{name}_count{{{labels}}} 4" in lines


def test_prometheus_reads_the_page() -> None:
    metrics = Metrics()
    metrics.count_request('a "b"\\\n', "OK")
    metrics.observe_request("m", "predict", "REST", 0.001)
    families = {family.name: family for family in text_string_to_metric_families(metrics.page())}
    (count,) = families[":tensorflow:serving:request_count"].samples
    assert count.labels == {"model_name": 'a "b"\\\n', "status": "OK"} and count.value == 1
    sums = [
        sample.value
        for sample in families[":tensorflow:serving:request_latency"].samples
        if "_sum" in sample.name
    ]
    assert sums == [1000]


def test_names_that_clients_make_up_are_bounded() -> None:
    metrics = Metrics()
    for number in range(MAX_LABELS + 100):
        metrics.count_request(f"m{number}", "NOT_FOUND")
    assert metrics.page().count("\n") <= MAX_LABELS + 2
