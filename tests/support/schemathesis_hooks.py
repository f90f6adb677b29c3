"""What schemathesis is told of the gateway: texts, ids and pictures as they are, and the features of its models."""

import base64
import io
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
IDS = st.sampled_from(["i0", "i1", "i5", "a/b", "..", "红", "%", "?#", "new"]) | TEXT.filter(bool)


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """A file of a format that is taken."""
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    stream = io.BytesIO()
    mode = draw(st.sampled_from(["RGB", "L"]))
    Image.new(mode, size).save(stream, draw(st.sampled_from(["PNG", "JPEG"])))
    return stream.getvalue()


schemathesis.openapi.format("item-id", IDS)
schemathesis.openapi.format("title", TEXT.map(lambda text: f"{text}red"))
schemathesis.openapi.format("picture", pictures().map(lambda data: base64.b64encode(data).decode()))


@schemathesis.hook
def before_load_schema(_context: Any, description: dict[str, Any]) -> None:
    """Adds the features of users that the test's models know, which OpenAPI cannot."""
    user = description["components"]["schemas"]["AskRecommend"]["properties"]["user"]
    user["properties"] = {name: {"type": "string", "format": "title"} for name in ("user_id", "gender")}
    user["additionalProperties"] = False
