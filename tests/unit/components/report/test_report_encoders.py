"""What the page says of encoders, examples and embeddings."""

import base64
import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from page_reader import PageReader, words
from PIL import Image

from components.report.page import render_page
from components.report.summary import build_summary
from components.report.thumbnail import thumbnail

WHEN = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & {{7*7}}"


def page_of(record):
    return render_page(record, build_summary(record, [], Path("/root")), WHEN)


def color_of(uri):
    """Mean color and size of the JPEG in a data: URI."""
    kind, data = uri.split(",", 1)
    assert kind == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    return image.resize((1, 1)).getpixel((0, 0)), image.size


def with_examples(record, modality, examples):
    encoder = replace(record.encoders[modality], examples=examples)
    return replace(record, encoders={**record.encoders, modality: encoder})


def test_figures_of_the_encoders(encoder_record):
    said = words(page_of(encoder_record))
    assert "Image encoder, method “scl”" in said
    assert "all 1,600 0.6125 0.8750 easy: alike at first sight 1,000 0.9700 1.0000" in said
    # No pair lies between, so nothing is said of them.
    assert "1.0000 hard: nothing in common at first sight 600 0.0167 0.6667" in said
    assert "Candidates 1,234" in said
    assert "Alignment 0.7500" in said and "Uniformity -2.5000" in said and "Random cosine 0.1250" in said
    assert "Temperature 0.0625" in said and "640 keys 7.5 steps old" in said
    assert "1 min 1 s 20 steps, 640 pairs" in said
    assert "Blessed and pushed to /" in said and "pushed/image_encoder/3" in said
    # The refused one, which has no bank, beside the last blessed one.
    assert "Not blessed acc@1 fell" in said
    assert "by the last blessed encoder 1,600 0.4000 0.5000" in said
    assert "Temperature n/a" in said and "Memory bank none" in said


def test_plots_of_the_training(encoder_record):
    said = words(page_of(encoder_record))
    for title in ("Training of the image encoder", "Accuracy of the text encoder"):
        assert title in said
    history = {**encoder_record.encoders["image"].history, "curve": [], "evaluations": []}
    untrained = replace(encoder_record.encoders["image"], history=history)
    said = words(page_of(replace(encoder_record, encoders={"image": untrained})))
    assert "Training of the image encoder" not in said


def test_embeddings(encoder_record):
    said = words(page_of(encoder_record))
    assert "Embeddings of 3,000 items" in said
    assert "items with a picture 2,000 1,900 95.0% 1,900 0 100" in said
    assert "items with a title 2,500 2,500 100.0% 12 2,488 0" in said
    assert "97 image unreadable_image, 3 image not_finite" in said


def test_embeddings_without_an_encoder_of_this_run(record, encoder_record):
    said = words(page_of(replace(record, embeddings=encoder_record.embeddings)))
    assert "Embeddings of 3,000 items" in said
    assert "What the encoders see" not in said


def test_pictures_are_small_and_inside_the_page(encoder_record):
    reader = PageReader(page_of(encoder_record))
    assert reader.open == []
    pictures = [attributes for name, attributes in reader.elements if name == "img"]
    # Three examples of the image encoder: query, positive, five retrieved; the text encoder sees no picture.
    assert len(pictures) == 3 * 7
    # The first query is a red picture of 600 x 300, shown at 160 x 80.
    color, size = color_of(pictures[0]["src"])
    assert color == pytest.approx((200, 0, 0), abs=6) and size == (160, 80)
    for attributes in pictures:
        assert set(attributes) <= {"src", "alt", "title"}
    policy = next(a["content"] for name, a in reader.elements if a.get("http-equiv"))
    assert "img-src data:" in policy and "default-src 'none'" in policy


def test_right_and_wrong_ones_are_marked(encoder_record):
    page = page_of(encoder_record)
    said = words(page)
    # By either encoder one query finds its positive, one finds it third, one not within five.
    assert said.count("found first") == 2
    assert said.count("found on rank 3 ✗ 0.900 0.800 ✓ 0.700 0.600 0.500") == 1  # pictures have no words
    assert said.count("found on rank 1,234") == 2
    kinds = [attributes.get("class") for name, attributes in PageReader(page).elements if name == "li"]
    assert kinds.count("right") == 2 * 2 and kinds.count("wrong") == 2 * 2
    assert "missed Bought the bought one found on rank 1,234 title of a ✗ 0.900 title of b 0.800" in said


def test_both_kinds_are_seen_without_a_click(encoder_record):
    one = encoder_record.encoders["text"].examples
    right = [{**one[0], "query_text": f"right {n}"} for n in range(20)]
    wrong = [{**one[2], "query_text": f"wrong {n}"} for n in range(3)]
    said = words(page_of(with_examples(encoder_record, "text", right + wrong)))
    shown, hidden = said.split("15 more")
    # Eight are seen: the three wrong ones there are, and five right ones.
    assert len(re.findall(r"right \d+ Bought", shown)) == 5
    assert len(re.findall(r"wrong \d+ Bought", shown)) == 3
    assert len(re.findall(r"right \d+ Bought", hidden)) == 15


def test_pictures_that_cannot_be_shown(encoder_record):
    broken = {
        **encoder_record.encoders["image"].examples[0],
        "query_image": b"no picture",
        "top_images": [None] * 5,
    }
    page = page_of(with_examples(encoder_record, "image", [broken]))
    assert page.count("no picture") == 6
    assert sum(name == "img" for name, _ in PageReader(page).elements) == 1


def test_refused_vectors_leave_no_figures(encoder_record):
    names = ("acc@1", "acc@5", "alignment", "uniformity", "random_cosine")
    image = encoder_record.encoders["image"]
    metrics = {
        **image.metrics,
        **dict.fromkeys(names),
        "slices": {},
        "blessed": False,
        "reasons": ["not finite"],
    }
    broken = replace(
        encoder_record, encoders={"image": replace(image, metrics=metrics, examples=[], pushed=None)}
    )
    said = words(page_of(broken))
    assert "Not blessed not finite" in said
    assert "all 1,600 n/a n/a" in said
    assert "What the encoders see" not in said


def test_every_string_from_data_is_escaped(encoder_record):
    example = encoder_record.encoders["text"].examples[2]
    evil = example | {
        "query_text": EVIL,
        "positive_title": EVIL,
        "positive_item_id": EVIL,
        "top_titles": [EVIL] * 5,
        "top_item_ids": [EVIL] * 5,
    }
    encoders = {
        modality: replace(
            encoder,
            examples=[evil],
            pushed=f"/root/{EVIL}",
            metrics={**encoder.metrics, "method": EVIL, "reasons": [EVIL]},
        )
        for modality, encoder in encoder_record.encoders.items()
    }
    counts = {**encoder_record.embeddings, "rejects": {"image": {EVIL: 1}, "text": {}}}
    page = page_of(replace(encoder_record, encoders=encoders, embeddings=counts))
    reader = PageReader(page)
    assert reader.open == []
    assert "script" not in {name for name, _ in reader.elements}
    for name, attributes in reader.elements:
        assert not [key for key in attributes if key.startswith("on")]
        assert name != "img" or attributes["src"].startswith("data:image/jpeg;base64,")
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 10


def test_no_thumbnail_of_nothing():
    assert thumbnail(None) is None
    assert thumbnail(b"") is None
