"""What the page says of why an ad was scored as it was."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from page_reader import PageReader, words

from components.report.inspection_section import render_inspection
from components.report.page import render_page
from components.report.run_record import RunRecord
from components.report.summary import build_summary

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & {{7*7}}"
RED, BLUE = "data:image/jpeg;base64,UkVE", "data:image/jpeg;base64,QkxVRQ=="
TIERS = [0, 0, 1, 3]


def impression(item="ad", **changed):
    return {
        "impression_id": "m1",
        "item_id": item,
        "clicked": True,
        "group": "new",
        "picked": "raised",
        "prediction": 0.5,
        "baseline_prediction": 0.125,
        "num_behaviors": 1234,
        "num_behavior_items": 3,
        "modalities": {
            "image": {"has_embedding": True, "compared": 4, "tiers": TIERS},
            "text": {"has_embedding": True, "compared": 0, "tiers": None},
        },
        "behaviors": [
            {"item_id": "b1", "times": 3, "latest": 2, "similarities": {"image": 0.987, "text": None}},
            {"item_id": item, "times": 1, "latest": 9, "similarities": {"image": -0.25, "text": 0.5}},
        ],
    } | changed


def inspection(*impressions, **changed):
    return {
        "scanned": 20000,
        "click_rate": 0.1875,
        "has_baseline": True,
        "modalities": ["image", "text"],
        "num_tiers": 4,
        "impressions": list(impressions),
        "items": {"ad": {"title": "the ad", "picture": RED}, "b1": {"title": "behaved", "picture": BLUE}},
    } | changed


def test_a_card():
    page = render_inspection(inspection(impression()))
    said = words(page)
    assert "the first 20,000 test impressions, 18.8% of them clicked" in said
    assert "each of 4 tiers" in said
    assert "Content raised the prediction from 12.5% to 50.0%" in said
    assert "the ad clicked new item toward what happened IDs alone 12.5% with content 50.0%" in said
    assert "2 of 3 different items among the user's last 1,234 behaviors" in said
    assert "image 0.99 text – behaved ×3" in said
    assert "image -0.25 text 0.50 this very item" in said
    assert "Image: 4 of 1234 behaviors compared" in said
    assert "Text: none of the behaviors has an embedding." in said
    pictures = [attributes["src"] for name, attributes in PageReader(page).elements if name == "img"]
    assert pictures == [RED, BLUE, RED]


def test_bars():
    elements = PageReader(render_inspection(inspection(impression()))).elements
    bars = [attributes for name, attributes in elements if name == "rect"]
    # Two predictions, each before its room, then the tiers that hold something.
    alone, content, first, second = (bar for bar in bars if bar["class"] != "room")
    # 12.5% and 50%: the second is four times as long.
    assert float(content["width"]) == pytest.approx(4 * float(alone["width"]), rel=1e-4)
    # 1 and 3 behaviors in the last two of four tiers, side by side on the same ground.
    assert float(second["height"]) == pytest.approx(3 * float(first["height"]), rel=1e-4)
    assert float(second["x"]) - float(first["x"]) == pytest.approx(304 / 4)
    ground = [float(bar["y"]) + float(bar["height"]) for bar in (first, second)]
    assert ground[0] == pytest.approx(ground[1], rel=1e-4)
    spoken = [attributes["aria-label"] for name, attributes in elements if name == "svg"]
    assert spoken == [
        "Predicted: IDs alone 12.5%, with content 50.0%",
        "Image: 4 of 1234 behaviors compared. 1 from 0 to 0.5, 3 from 0.5 to 1",
    ]


def test_the_same_scale_on_all_cards():
    high, low = impression(prediction=0.5), impression(prediction=0.25)
    elements = PageReader(render_inspection(inspection(high, low))).elements
    bars = [float(a["width"]) for name, a in elements if name == "rect" and a.get("height") == "8"]
    # Room, IDs alone, room, with content; of either card.
    assert bars[3] == pytest.approx(2 * bars[7], rel=1e-4)
    assert bars[1] == bars[5]


@pytest.mark.parametrize(
    ("before", "after", "clicked", "heading", "chip"),
    [
        (0.1, 0.2, False, "raised the prediction from 10.0% to 20.0%", "away from what happened"),
        (0.2, 0.1, True, "lowered the prediction from 20.0% to 10.0%", "away from what happened"),
        (0.2, 0.1, False, "lowered the prediction from 20.0% to 10.0%", "toward what happened"),
        (0.20001, 0.20002, True, "left the prediction at 20.0%", None),
    ],
)
def test_toward_or_away(before, after, clicked, heading, chip):
    shown = impression(baseline_prediction=before, prediction=after, clicked=clicked, group=3)
    said = words(render_inspection(inspection(shown)))
    assert f"Content {heading}" in said
    assert ("not clicked" in said) != clicked
    assert "item group 3" in said
    assert [text for text in ("toward what happened", "away from what happened") if text in said] == (
        [chip] if chip else []
    )


def test_picked_at_random():
    assert "picked at random" in words(render_inspection(inspection(impression(picked="random"))))
    assert "picked at random" not in words(render_inspection(inspection(impression())))


def test_without_a_baseline():
    alone = impression(baseline_prediction=None)
    said = words(render_inspection(inspection(alone, has_baseline=False)))
    assert "no model of IDs alone was trained to compare with" in said
    assert "Predicted 50.0%" in said
    assert "IDs alone 12" not in said and "what happened" not in said


def test_without_embeddings_pictures_behaviors_or_titles():
    bare = impression(modalities={}, behaviors=[{**impression()["behaviors"][0], "similarities": {}}])
    said = words(render_inspection(inspection(bare, modalities=[], items={})))
    assert "The model reads no embedding of content" in said
    assert said.count("no picture") == 2
    # Items without a title are named by their ids.
    assert "no picture ad clicked" in said and "no picture b1 ×3" in said
    lone = impression(num_behaviors=0, num_behavior_items=0, behaviors=[])
    said = words(render_inspection(inspection(lone)))
    assert "The user has no earlier click or purchase." in said
    assert "compared" not in said.split("tiers of similarity")[1]
    unknown = {"has_embedding": False, "compared": 0, "tiers": None}
    said = words(render_inspection(inspection(impression(modalities={"image": unknown}))))
    assert "Image: the ad's item has no embedding." in said


def test_few_are_seen_without_a_click():
    shown = [impression(prediction=0.3 + 0.01 * place) for place in range(6)]
    before, after = words(render_inspection(inspection(*shown))).split("2 more")
    assert before.count("Content raised") == 4 and after.count("Content raised") == 2
    assert " more" not in words(render_inspection(inspection(*shown[:4])))


def test_counts_of_many_tiers_are_not_written_over_the_bars():
    for tiers, written in (([7] * 20, 20), ([7] * 60, 0)):
        modalities = {"image": {"has_embedding": True, "compared": 140, "tiers": tiers}}
        page = render_inspection(inspection(impression(modalities=modalities)))
        assert len(re.findall(r">7</text>", page)) == written


def test_nothing_to_show():
    assert render_inspection(None) is None
    assert render_inspection(inspection()) is None


def test_every_string_from_data_is_escaped():
    evil = impression(EVIL)
    items = {EVIL: {"title": EVIL, "picture": RED}, "b1": {"title": EVIL, "picture": None}}
    page = render_inspection(inspection(evil, items=items))
    reader = PageReader(page)
    assert "script" not in {name for name, _ in reader.elements}
    assert {attributes["src"] for name, attributes in reader.elements if name == "img"} == {RED}
    for _, attributes in reader.elements:
        assert not [key for key in attributes if key.startswith("on")]
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


def test_section_of_the_page(inputs, tmp_path):
    folder = tmp_path / "inspection"
    folder.mkdir()
    (folder / "inspection.json").write_text(json.dumps(inspection(impression())))
    record = RunRecord.load(replace(inputs, inspection=str(folder)))
    page = render_page(record, build_summary(record, [], tmp_path), datetime(2026, 4, 1, tzinfo=UTC))
    assert "<h2>Why an ad was scored as it was</h2>" in page
    assert RunRecord.load(inputs).inspection is None
