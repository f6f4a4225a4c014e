"""Masks from polygons, run lengths and files, each against another way to the same mask."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError, UnreadableImage
from common.readers.support.shapes import MaskFiles, Polygons, RunLengths


def encloses(outline, row, col):
    """Even-odd rule for one point, in exact numbers: a ray to the right meets an odd number of edges."""
    inside = False
    for (r0, c0), (r1, c1) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if (r0 <= row < r1) or (r1 <= row < r0):
            inside ^= Fraction(c0) + (row - r0) * Fraction(c1 - c0) / Fraction(r1 - r0) > col
    return inside


@pytest.mark.parametrize("seed", range(6))
def test_polygons_are_what_their_outlines_enclose(seed):
    rng = np.random.default_rng(seed)
    outline = [tuple(map(int, point)) for point in rng.integers(-4, 25, (3 + 2 * seed, 2))]  # also outside, and crossed
    half = Fraction(1, 2)
    expected = [[encloses(outline, row + half, col + half) for col in range(16)] for row in range(20)]
    assert (Polygons([outline]).draw((20, 16)) == expected).all()


def test_a_box_encloses_as_many_pixels_as_its_sides_say():
    mask = Polygons([[(2, 3), (2, 8), (6, 8), (6, 3)]]).draw((10, 12))
    assert mask.sum() == 4 * 5 and mask[2:6, 3:8].all()
    turned = Polygons([[(6, 3), (6, 8), (2, 8), (2, 3)]]).draw((10, 12))  # clockwise or not
    assert (mask == turned).all()


def test_the_area_of_a_disc():
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    disc = [(100.3 + 80 * np.sin(angle), 120.7 + 80 * np.cos(angle)) for angle in angles]
    mask = Polygons([disc]).draw((240, 260))
    rows, cols = np.nonzero(mask)
    assert mask.sum() == pytest.approx(np.pi * 80**2, rel=2e-3)
    assert (rows.mean() + 0.5, cols.mean() + 0.5) == pytest.approx((100.3, 120.7), abs=0.05)


def test_several_outlines_are_united_where_they_overlap():
    mask = Polygons([[(0, 0), (0, 4), (4, 4), (4, 0)], [(2, 2), (2, 6), (6, 6), (6, 2)]]).draw((8, 8))
    assert mask[3, 3] and mask.sum() == 16 + 16 - 4
    assert Polygons().empty and not Polygons().draw((4, 4)).any()


def test_a_mask_has_the_size_that_its_coordinates_are_of(tmp_path):
    Image.new("L", (16, 12)).save(tmp_path / "one.png")
    assert Polygons([[(2, 4), (2, 8), (6, 8), (6, 4)]]).size(tmp_path / "one.png") == (12, 16)
    assert Polygons(frame=(6, 8)).size(tmp_path / "none.png") == (6, 8)
    assert RunLengths([], (6, 8)).size(tmp_path / "none.png") == (6, 8)
    assert MaskFiles([tmp_path / "one.png"]).size(tmp_path / "none.png") == (12, 16)


@pytest.mark.parametrize("outline", [[(9, 1), (9, 3), (12, 2)], [(1, -5), (4, -5), (3, 0)]])
def test_an_outline_outside_the_image_is_refused(outline):
    with pytest.raises(DatasetError, match=r"boxes\.json, entry 3: an outline reaches .* image of 8 x 16 pixels"):
        Polygons([outline], where="boxes.json, entry 3").draw((8, 16))


def runs_by_hand(numbers, height, width):
    """SIIM-ACR's rule, one pixel after the other."""
    mask, place = [[0] * width for _ in range(height)], 0
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        place += gap
        for _ in range(length):
            mask[place % height][place // height] = 1
            place += 1
    return np.array(mask, bool)


def test_run_lengths():
    numbers = [3, 2, 4, 5, 0, 1, 7, 3]
    mask = RunLengths([numbers], (6, 8)).draw((6, 8))
    assert (mask == runs_by_hand(numbers, 6, 8)).all() and mask.sum() == 11
    both = RunLengths([numbers, [40, 6]], (6, 8)).draw((6, 8))
    assert (both == (mask | runs_by_hand([40, 6], 6, 8))).all()
    assert RunLengths([], (6, 8)).empty


def test_files_are_joined(tmp_path):
    left, right = np.zeros((4, 6), bool), np.zeros((4, 6), np.uint8)
    left[1, 1], right[2, 4] = True, 255
    Image.fromarray(left).save(tmp_path / "left.png")
    Image.fromarray(right).save(tmp_path / "right.gif")
    mask = MaskFiles([tmp_path / "left.png", tmp_path / "right.gif"]).draw((4, 6))
    assert mask.sum() == 2 and mask[1, 1] and mask[2, 4]
    Image.fromarray(right.T).save(tmp_path / "right.gif")
    with pytest.raises(UnreadableImage, match=r"right\.gif: it has 6 x 4 pixels, and .*left\.png 4 x 6"):
        MaskFiles([tmp_path / "left.png", tmp_path / "right.gif"]).draw((4, 6))
