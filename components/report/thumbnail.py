"""Small pictures inside the page."""

import base64
import io

from PIL import Image

from transforms.canonical_image import canonical_image

# What is shown at half this size stays sharp on a fine screen; some 4 kB each.
SIDE = 160
QUALITY = 70
MAX_BYTES, MAX_PIXELS = 20_000_000, 50_000_000


def thumbnail(picture: bytes | None, side: int = SIDE) -> str | None:
    """A picture as a data: URI of a JPEG of at most `side` pixels; None where none can be read."""
    if picture is None:
        return None
    picture, problem = canonical_image(picture, MAX_BYTES, MAX_PIXELS)
    if problem:
        return None
    with Image.open(io.BytesIO(picture)) as image:
        image.draft("RGB", (side, side))
        small = image.convert("RGB")
    small.thumbnail((side, side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
