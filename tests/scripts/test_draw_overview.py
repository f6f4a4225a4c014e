"""The picture at the top of the README, drawn by its command."""

import pytest
from PIL import Image
from script_main import script_main

from common.figures import styles


@pytest.mark.slow  # 10 s: the phantom's radiographs and CT
def test_the_picture_of_the_readme_shows_every_structure_in_its_colour(tmp_path):
    assert script_main("draw_overview")(["--out", str(tmp_path / "out.png")]) == 0
    with Image.open(tmp_path / "out.png") as drawn:
        counts = {f"#{r:02X}{g:02X}{b:02X}": n for n, (r, g, b) in drawn.convert("RGB").getcolors(2**24)}
        width, height = drawn.size
    assert width > 2 * height
    colours = {style.color for style in styles(["lung", "heart", "clavicle", "liver", "spleen", "kidney"]).values()}
    assert len(colours) == 6 and all(counts[colour] > 200 for colour in colours)  # a name's plate alone has more
