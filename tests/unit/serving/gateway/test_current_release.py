"""The release that is gone by."""

import logging
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "support"))
from made_release import make_release

from serving.gateway.config import GatewayConfig
from serving.gateway.current_release import CurrentRelease
from serving.model_description import write_description

ROWS = [{"item_id": "a", "category_id": "c", "shop_id": "s", "title": "t"}]


def test_reads_a_release_that_comes_and_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    current = CurrentRelease(tmp_path, GatewayConfig())
    current.refresh()
    assert current.release is None
    make_release(tmp_path, 1, ROWS, {"a": [1.0]})
    current.refresh()
    assert current.release is not None and current.release.number == 1
    make_release(tmp_path, 2, ROWS, {"a": [1.0]})
    current.refresh()
    assert current.release.number == 2
    # A broken one is told of once, and changes nothing.
    current.path.with_name("broken").write_text("{")
    current.path.with_name("broken").replace(current.path)
    with caplog.at_level(logging.ERROR):
        current.refresh()
        current.refresh()
    assert current.release.number == 2 and len(caplog.records) == 1


def test_knows_which_encoders_a_model_was_made_with(tmp_path: Path) -> None:
    current = CurrentRelease(tmp_path, GatewayConfig())
    assert current.fits("ctr", "7", "image", "1")
    make_release(tmp_path, 1, ROWS, {"a": [1.0]}, version="3")
    current.refresh()
    # Version 7 of ctr with version 3 of the encoders; there is no recall.
    assert current.fits("ctr", "7", "image", "3") and not current.fits("ctr", "7", "image", "1")
    # Of other versions nothing is known.
    assert current.fits("ctr", "6", "image", "1") and current.fits("recall", "7", "image", "1")


def test_believes_what_a_version_says_of_itself(tmp_path: Path) -> None:
    current = CurrentRelease(tmp_path, GatewayConfig(image_model="pictures"))
    for version, fingerprint in (("1", "old"), ("2", "new")):
        write_description(str(tmp_path / "pictures" / version), {"fingerprint": fingerprint})
    for model in ("ctr", "recall"):
        write_description(str(tmp_path / model / "8"), {"encoders": {"image": "new"}})
    for model in ("ctr", "recall"):
        # Without any release, which names neither of them.
        assert current.fits(model, "8", "image", "2") and not current.fits(model, "8", "image", "1")
        # It takes no texts; of these nothing is known.
        assert current.fits(model, "8", "text", "1") and current.fits(model, "9", "image", "1")
    # A description may be copied later than it is asked for.
    write_description(str(tmp_path / "ctr" / "9"), {"encoders": {"image": "new"}})
    current.refresh()
    assert not current.fits("ctr", "9", "image", "1")


def test_a_release_tells_of_an_encoder_that_is_gone(tmp_path: Path) -> None:
    current = CurrentRelease(tmp_path, GatewayConfig())
    make_release(tmp_path, 1, ROWS, {"a": [1.0]}, version="3")
    write_description(str(tmp_path / "ctr" / "8"), {"encoders": {"image": "image 4"}})
    write_description(str(tmp_path / "ctr" / "9"), {"encoders": {"image": "image 3"}})
    current.refresh()
    assert not current.fits("ctr", "8", "image", "3") and current.fits("ctr", "9", "image", "3")
    # The names of an index' versions are no paths.
    assert current.fits("ctr", "8", "image", "..")
