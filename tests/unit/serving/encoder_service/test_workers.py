"""Several workers in one process."""

import threading
import time

from serving.encoder_service.config import EncoderServiceConfig
from serving.encoder_service.remote_encoder import open_channel
from serving.encoder_service.worker import Workers
from serving.item_queue.new_item import NewItem


def test_workers_share_the_load_and_stop_together(encoders, queue, index):
    encoders.delay_seconds = 0.02
    for number in range(60):
        queue.put(NewItem(f"i{number}", None, f"title {number}", "c", "s", time.time()))
    with open_channel(encoders.address) as channel:
        workers = Workers(queue, index, channel, EncoderServiceConfig(workers=3, batch_size=4))
        assert len({service.name for service in workers.services}) == 3
        assert not workers.are_alive()
        stop = threading.Event()
        thread = threading.Thread(target=workers.run, args=(stop,))
        thread.start()
        deadline = time.monotonic() + 30
        while queue.waiting() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert workers.are_alive()
        stop.set()
        thread.join(10)
    assert not thread.is_alive() and not workers.are_alive()
    assert index.count("text", "1") == 60
    assert [encoders.encoded["text_encoder", f"title {number}".encode()] for number in range(60)] == [1] * 60
    status = workers.metrics.status()
    assert status["claims"] == {"usable": 60, "not_served": 0, "buried": 0, "retried": 0, "lost": 0}
    assert status["coverage"] == 1.0
    assert 0 < status["freshness"]["p50_seconds"] <= status["freshness"]["p99_seconds"] < 30
