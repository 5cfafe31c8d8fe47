"""The pictures of the documentation can be taken: each page at its size, and none is blank."""

from __future__ import annotations

import pytest
from PIL import Image

from tools.screenshots import SHOTS, take

pytestmark = pytest.mark.browser


def test_every_picture_shows_its_page(app, world, tmp_path):
    made = take(app, tmp_path, world.case("argument"))
    assert [path.name for path in made] == [shot[0] for shot in SHOTS]
    for path, (_, _, _, size, scheme) in zip(made, SHOTS, strict=True):
        with Image.open(path) as picture:
            assert picture.size == size, path.name
            colours = picture.convert("RGB").getcolors(picture.width * picture.height)
            corner = picture.convert("L").getpixel((2, picture.height - 3))
        assert len(colours) > 50, f"{path.name} is blank"
        assert (corner < 90) == (scheme == "dark"), path.name
