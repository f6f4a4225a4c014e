"""Adam's anatomy decomposer judged from rendered pixels alone: an image whose values are its own coordinates."""

import pytest
import torch
from torch.utils.data import default_collate

from bundles.cxr_adam.scripts.views import PartCrops
from common.views import AugmentedCrop, ColourJitter

WHOLE = AugmentedCrop(8, area=None)  # shows a part as it is


def sampled(view, count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return default_collate([view.sample(generator, size) for _ in range(count)])


def index_images(count, height, width):
    """Two channels that hold the row and the column of every pixel centre, in pixels."""
    rows, cols = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij")).expand(count, 2, height, width).float()


def halved(level, height, width):
    """Parts (top, left, bottom, right) by halving in turn: first left and right, then upper and lower."""
    parts = [(0.0, 0.0, height, width)]
    for cut in range(level):
        halves = []
        for top, left, bottom, right in parts:
            if cut % 2 == 0:
                middle = (left + right) / 2
                halves += [(top, left, bottom, middle), (top, middle, bottom, right)]
            else:
                middle = (top + bottom) / 2
                halves += [(top, left, middle, right), (middle, left, bottom, right)]
        parts = halves
    return {tuple(float(edge) for edge in part) for part in parts}


@pytest.mark.parametrize("level", range(7))
def test_level_n_has_the_2_to_the_n_parts_of_alternate_halving(level):
    view = PartCrops(level, WHOLE)
    params = sampled(view, 40 * 2**level, (64, 96))
    drawn = {tuple(box) for box in params["part_box"].tolist()}
    assert drawn == halved(level, 64, 96) and len(drawn) == 2**level == view.rows * view.cols


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
def test_the_pixels_shown_are_the_part_s_rows_and_columns(level):
    view = PartCrops(level, WHOLE)
    params = sampled(view, 12, (64, 96))
    rendered = view.render(index_images(12, 64, 96), params)
    for name in ("query", "key"):
        shown = rendered[name]
        assert shown.shape == (12, 2, 8, 8)
        centre = torch.stack(
            [(params["part"][:, 0] + 0.5) * 64 / view.rows, (params["part"][:, 1] + 0.5) * 96 / view.cols], dim=1
        )
        inner = shown[:, :, 2:6, 2:6].mean((2, 3))  # pixels next to a part take part in its border
        torch.testing.assert_close(inner, centre, atol=0.6, rtol=0)
        step = shown[:, 0, 5, 0] - shown[:, 0, 2, 0]
        torch.testing.assert_close(step, torch.full((12,), 3 * 64 / view.rows / 8), atol=0.05, rtol=0)
        step = shown[:, 1, 0, 5] - shown[:, 1, 0, 2]
        torch.testing.assert_close(step, torch.full((12,), 3 * 96 / view.cols / 8), atol=0.05, rtol=0)


def test_parts_are_drawn_uniformly_rows_and_columns_apart():
    params = sampled(PartCrops(4, WHOLE), 3200, (64, 64))
    counts = torch.bincount(params["part"][:, 0] * 4 + params["part"][:, 1], minlength=16)
    assert counts.min() > 140 and counts.max() < 260


def test_both_crops_are_of_one_part_and_drawn_separately():
    crop = AugmentedCrop(8, area=(0.2, 1.0), rotation=30, photometric=ColourJitter())
    params = sampled(PartCrops(3, crop), 600, (64, 96))
    part = params["part_box"]
    for name in ("query", "key"):
        box = params[f"{name}_box"]
        assert (box[:, :2] >= part[:, :2] - 1e-3).all() and (box[:, 2:] <= part[:, 2:] + 1e-3).all()
        share = ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])) / (32 * 24)
        assert 0.2 - 1e-3 <= share.min() < 0.3 and share.max() <= 1 + 1e-3
    for value in ("angle", "contrast", "sigma"):
        pair = torch.stack([params[f"query_{value}"], params[f"key_{value}"]]).double()
        assert abs(torch.corrcoef(pair)[0, 1]) < 0.15 and pair.std() > 0
    assert params["query_angle"].abs().max() > 25


def test_crops_are_drawn_after_their_part_as_ever():
    jitter = ColourJitter(jitter=1.0, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.0, blur=0.5)
    crop = AugmentedCrop(32, area=(0.2, 1.0), flip=0.5, rotation=10.0, photometric=jitter)
    params = sampled(PartCrops(3, crop), 2, (70, 90), seed=7)
    kept = {  # of the second image, by the code before crops were made of common.views.TwoCrops
        "part": [1, 2],
        "query_box": [37.0838, 45.2048, 59.6636, 66.8283],
        "query_angle": -0.8248,
        "key_box": [41.3177, 50.9083, 55.72, 66.9373],
        "key_contrast": 0.8029,
    }
    assert {name: params[name][1].tolist() for name in kept} == {
        name: pytest.approx(value, abs=1e-4) for name, value in kept.items()
    }


def test_a_view_depends_on_its_generator_alone():
    view = PartCrops(2, AugmentedCrop(8, photometric=ColourJitter()))
    images = torch.randint(0, 256, (5, 1, 64, 64), dtype=torch.uint8)
    torch.manual_seed(1)
    first = view.render(images, sampled(view, 5, (64, 64)))
    torch.manual_seed(2)
    again = view.render(images, sampled(view, 5, (64, 64)))
    assert all(torch.equal(first[name], again[name]) for name in ("query", "key"))
    assert not torch.equal(first["query"], first["key"])
    drawn = sampled(view, 1, (64, 64), seed=1), sampled(view, 1, (64, 64), seed=2)
    assert not torch.equal(drawn[0]["query_box"], drawn[1]["query_box"])


def test_the_released_grid_equals_the_halving_at_the_levels_of_the_curriculum_alone():
    for level in range(8):
        halving, square = (PartCrops(level, WHOLE, grid) for grid in ("halving", "square"))
        same = (halving.rows, halving.cols) == (square.rows, square.cols)
        assert same == (level in (0, 2, 4)), level
        assert square.rows == square.cols == max(level, 1)


def test_boxes_name_the_part_and_both_crops_for_drawing():
    params = sampled(PartCrops(2, AugmentedCrop(8)), 3, (64, 64))
    boxes = PartCrops(2, AugmentedCrop(8)).boxes(params)
    assert list(boxes) == ["part", "query", "key"] and all(box.shape == (3, 4) for box in boxes.values())


@pytest.mark.parametrize(
    ("level", "size"), [(20, (256, 256)), (4, (3, 3)), (0, (2, 2)), (4, (1024, 8)), (1, (1024, 4))]
)
def test_parts_too_small_for_a_crop_are_refused(level, size):
    view = PartCrops(level, AugmentedCrop(8))
    with pytest.raises(ValueError, match=rf"level {level} divides images of {size[0]} x {size[1]}.*Lower `level`"):
        view.sample(torch.Generator(), size)


def test_the_smallest_part_that_is_not_refused_can_be_shown():
    view = PartCrops(4, AugmentedCrop(8, rotation=30, photometric=ColourJitter()))
    images = torch.randint(0, 256, (4, 1, 11, 11), dtype=torch.uint8)
    rendered = view.render(images, sampled(view, 4, (11, 11)))
    assert all(view.isfinite().all() for view in rendered.values())


@pytest.mark.parametrize(
    ("options", "message"), [({"level": -1}, "level is -1"), ({"level": 1.5}, "level is 1.5"), ({"grid": "n"}, "grid")]
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        PartCrops(**{"level": 0, "crop": WHOLE, **options})
