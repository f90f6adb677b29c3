"""What a picture's header says."""

import io

import pytest
from odd_images import bad_images, encode, good_images, scene
from PIL import Image

from serving.gateway.http.picture_header import picture_type
from transforms.canonical_image import canonical_image
from transforms.input_error import InputError

MIB = 1 << 20


@pytest.mark.parametrize(
    ("kind", "expected"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_media_types(kind: str, expected: str) -> None:
    assert picture_type(encode(scene(), kind), MIB, MIB) == expected


def test_all_that_the_encoder_service_reads_passes() -> None:
    for data, _ in good_images().values():
        assert picture_type(data, MIB, MIB).startswith("image/")
    # And what does not pass would be refused there.
    for name, (data, _) in bad_images().items():
        try:
            picture_type(data, MIB, 50_000_000)
        except InputError:
            assert canonical_image(data, MIB, 50_000_000)[1] is not None, name


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO"])
def test_other_formats_are_none(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, kind)
    with pytest.raises(InputError, match="expected a JPEG, PNG or WebP file, got none"):
        picture_type(file.getvalue(), MIB, MIB)


def test_bounds() -> None:
    data = encode(Image.new("L", (20, 30)), "PNG")
    assert picture_type(data, len(data), 600) == "image/png"
    with pytest.raises(InputError, match=f"at most {len(data) - 1} bytes, got {len(data)}"):
        picture_type(data, len(data) - 1, 600)
    with pytest.raises(InputError, match="at most 599 pixels, got 600"):
        picture_type(data, len(data), 599)
