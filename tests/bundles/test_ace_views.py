"""ACE's crops judged from rendered pixels alone: an image whose values are its own coordinates."""

import math

import pytest
import torch
from torch.utils.data import default_collate

from bundles.cxr_ace.scripts.targets import composition_targets, decomposition_targets
from bundles.cxr_ace.scripts.views import AlignedCrops, PlainCrops
from common.views import Photometric

# (cells, tokens, cell) and the image's side; the paper's (32, 14, 32) with cells of 4 pixels instead of 32
GEOMETRIES = [(32, 14, 4, 128), (18, 8, 8, 256), (18, 8, 8, 150)]


def sampled(view, count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return default_collate([view.sample(generator, size) for _ in range(count)])


def index_images(count, height, width):
    """Two channels that hold the row and the column of every pixel centre, as fractions of the image."""
    rows = (torch.arange(height) + 0.5) / height
    cols = (torch.arange(width) + 0.5) / width
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij")).expand(count, 2, height, width)


def token_places(view_BCHW, per_side):
    """Mean place (row, column) of the pixels of every square of a per_side x per_side grid: (B, per_side^2, 2)."""
    B, C, side, _ = view_BCHW.shape
    pixels = side // per_side
    grid = view_BCHW.reshape(B, C, per_side, pixels, per_side, pixels).mean((3, 5))
    return grid.flatten(2).transpose(1, 2)


def targets_from_places(rows, columns, cell, step, radius):
    """Targets of one image from places read off the pixels; `cell` is a cell's (height, width) on the image."""
    distance = (columns[None] - rows[:, None]) / (cell * step)
    nearest = distance.round()
    matched = ((distance.abs() < 0.15).all(2)).any(1)
    near = (nearest.abs() <= radius).all(2) & matched[:, None]
    # Where a row matches, its distances to all columns are whole numbers up to resampling at the image border.
    assert (distance - nearest)[near].abs().max() < 0.15
    return torch.exp(-(nearest**2).sum(2) / 2) * near


@pytest.mark.parametrize(("cells", "tokens", "cell", "side"), GEOMETRIES)
def test_every_correspondence_can_be_read_off_the_rendered_pixels(cells, tokens, cell, side):
    view = AlignedCrops(cells, tokens, cell)
    height, width = side, side + 30
    params = sampled(view, 6, (height, width))
    rendered = view.render(index_images(6, height, width), params)
    fine, coarse = rendered["fine"], rendered["coarse"]
    assert fine.shape == coarse.shape == (6, 2, tokens * cell, tokens * cell)
    # Row coordinates grow downwards and column coordinates to the right.
    assert (fine[:, 0].diff(dim=1) > 0).all()
    assert (fine[:, 1].diff(dim=2) > 0).all()
    assert (coarse[:, 0].diff(dim=2).abs() < 1e-4).all()

    fine_tokens, fine_blocks = token_places(fine, tokens), token_places(fine, tokens // 2)
    coarse_tokens, coarse_cells = token_places(coarse, tokens), token_places(coarse, 2 * tokens)
    composition = composition_targets(params["coarse_origin"], params["fine_origin"], tokens)
    decomposition = decomposition_targets(params["coarse_origin"], params["fine_origin"], tokens)
    for index in range(6):
        spread = fine_tokens[index].view(tokens, tokens, 2)
        # cells away from the image border, where no pixel is missing from the filter
        size = torch.stack([spread[:, 3, 0].diff()[3], spread[3, :, 1].diff()[3]])
        from_pixels = targets_from_places(coarse_tokens[index], fine_blocks[index], size, step=2, radius=1)
        torch.testing.assert_close(composition[index], from_pixels)
        from_pixels = targets_from_places(fine_tokens[index], coarse_cells[index], size, step=1, radius=2)
        torch.testing.assert_close(decomposition[index], from_pixels)


@pytest.mark.parametrize(("cells", "tokens", "cell", "side"), GEOMETRIES)
def test_crops_show_the_cells_their_origins_name(cells, tokens, cell, side):
    view = AlignedCrops(cells, tokens, cell)
    params = sampled(view, 4, (side, side))
    rendered = view.render(index_images(4, side, side), params)
    for crop, scale in (("fine", 1), ("coarse", 2)):
        top, left, bottom, right = params["base_box"].unbind(1)
        spots = token_places(rendered[crop], tokens).view(4, tokens, tokens, 2)[:, 3, 4] * side
        row = top + (params[f"{crop}_origin"][:, 0] + scale * 3.5) * (bottom - top) / cells
        col = left + (params[f"{crop}_origin"][:, 1] + scale * 4.5) * (right - left) / cells
        torch.testing.assert_close(spots, torch.stack([row, col], 1), atol=0.06, rtol=0)  # pixels


def test_both_crops_show_the_same_picture_where_they_overlap():
    # A smooth picture: 2 x 2 fine pixels and the coarse pixel over them then agree.
    grid = torch.linspace(0, 1, 256)
    picture = 0.5 + 0.25 * torch.sin(14 * grid)[:, None] * torch.cos(9 * grid)[None, :] + 0.2 * grid[None, :]
    view = AlignedCrops(18, 8, 8)
    params = sampled(view, 8, (256, 256))
    rendered = view.render(picture.expand(8, 1, 256, 256), params)
    blocks = torch.nn.functional.avg_pool2d(rendered["fine"], 2)
    for index in range(8):
        # A coarse pixel, and a block of 2 x 2 fine pixels, is a quarter of a cell.
        down, right = ((params["coarse_origin"] - params["fine_origin"])[index] * 4).tolist()
        seen = 0
        for row in range(0, 64, 5):
            for col in range(0, 64, 5):
                if 0 <= row + down < 32 and 0 <= col + right < 32:
                    assert (
                        abs(rendered["coarse"][index, 0, row, col] - blocks[index, 0, row + down, col + right]) < 0.01
                    )
                    seen += 1
        assert seen > 9


def test_sampler_follows_the_stated_distribution_of_the_paper():
    drawn = sampled(AlignedCrops(), 1500, (1024, 1024))
    coarse, fine = drawn["coarse_origin"], drawn["fine_origin"]
    assert ((coarse - fine) % 2 == 0).all()
    for origin in range(5):
        assert (coarse == origin).float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert (fine.min(), fine.max()) == (0, 18)
    even = fine[coarse % 2 == 0]
    for origin in range(0, 19, 2):
        assert (even == origin).float().mean().item() == pytest.approx(0.1, abs=0.03)
    overlap = torch.minimum(fine + 14, coarse + 28) - torch.maximum(fine, coarse)
    assert (overlap.min(), overlap.max()) == (10, 14)
    assert overlap.float().mean().item() == pytest.approx(13.6, abs=0.1)
    # Rows and columns are drawn separately.
    assert abs(torch.corrcoef(fine.T.double())[0, 1]) < 0.1


@pytest.mark.parametrize(("cells", "tokens"), [(18, 8), (16, 8), (40, 8), (64, 4)])
def test_at_any_size_crops_stay_inside_and_share_four_cells(cells, tokens):
    drawn = sampled(AlignedCrops(cells, tokens, 2), 800, (256, 256))
    coarse, fine = drawn["coarse_origin"], drawn["fine_origin"]
    assert ((coarse - fine) % 2 == 0).all()
    assert coarse.min() == 0
    assert coarse.max() == cells - 2 * tokens
    assert fine.min() >= 0
    assert fine.max() <= cells - tokens
    overlap = torch.minimum(fine + tokens, coarse + 2 * tokens) - torch.maximum(fine, coarse)
    assert overlap.min() >= 4


def test_base_box_is_within_the_stated_area():
    box = sampled(AlignedCrops(18, 8, 8), 300, (200, 200))["base_box"]
    share = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / 200**2
    assert share.min() >= 0.85 - 1e-4
    assert share.max() <= 1 + 1e-4


def test_views_depend_on_the_generator_alone_and_not_on_the_batch():
    view = AlignedCrops(18, 8, 8, photometric=Photometric(0.9, 0.6, 0.6, 0.6))
    images = torch.randint(0, 256, (5, 1, 160, 160), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(1)
    params = sampled(view, 5, (160, 160))
    first = view.render(images, params)
    torch.manual_seed(2)
    again = view.render(images, sampled(view, 5, (160, 160)))
    for crop in ("fine", "coarse"):
        assert torch.equal(first[crop], again[crop])
        assert first[crop].dtype == torch.float32
        assert first[crop].min() >= 0
        assert first[crop].max() <= 1
        for index in range(5):
            one = {name: value[index : index + 1] for name, value in params.items()}
            alone = view.render(images[index : index + 1], one)[crop][0]
            torch.testing.assert_close(alone, first[crop][index], atol=2e-6, rtol=0)


def test_intensities_of_the_two_crops_are_drawn_separately():
    drawn = sampled(AlignedCrops(18, 8, 8, photometric=Photometric()), 200, (144, 144))
    fine, coarse = drawn["fine_contrast"] != 1, drawn["coarse_contrast"] != 1
    assert 0.3 < (fine != coarse).float().mean() < 0.7


def test_colour_images_keep_their_channels():
    view = AlignedCrops(18, 8, 8, photometric=Photometric(1, 1, 1, 1))
    images = torch.randint(0, 256, (2, 3, 144, 144), dtype=torch.uint8)
    assert view.render(images, sampled(view, 2, (144, 144)))["coarse"].shape == (2, 3, 64, 64)


def test_antialiasing_of_the_coarse_crop_can_be_left_out():
    stripes = (torch.arange(256) % 2 * 255).to(torch.uint8).expand(1, 1, 256, 256)
    contrast = {}
    for antialias in (True, False):
        view = AlignedCrops(18, 8, 8, antialias=antialias)
        contrast[antialias] = view.render(stripes, sampled(view, 1, (256, 256)))["coarse"].std().item()
    assert contrast[True] < 0.05
    assert contrast[False] > 0.15


def test_plain_crops_are_independent_and_named_alike():
    view = PlainCrops(size=32)
    params = sampled(view, 400, (64, 64))
    sides = {crop: (params[f"{crop}_box"][:, 2] - params[f"{crop}_box"][:, 0]).double() for crop in ("fine", "coarse")}
    assert abs(torch.corrcoef(torch.stack(list(sides.values())))[0, 1]) < 0.15
    few = {name: value[:3] for name, value in params.items()}
    rendered = view.render(index_images(3, 64, 64), few)
    assert rendered["fine"].shape == rendered["coarse"].shape == (3, 2, 32, 32)
    for crop in ("fine", "coarse"):
        centre = rendered[crop].mean((2, 3)) * 64
        box = few[f"{crop}_box"]
        torch.testing.assert_close(centre, (box[:, :2] + box[:, 2:]) / 2, atol=0.2, rtol=0)


def test_plain_crops_draw_both_boxes_before_any_intensities():
    params = sampled(PlainCrops(32, photometric=Photometric()), 2, (70, 90), seed=7)
    kept = {  # of the second image, by the code before plain crops were made of common.views.TwoCrops
        "fine_box": [0.0925, 11.2132, 58.7579, 88.0981],
        "coarse_box": [10.4869, 11.9764, 68.4901, 79.5893],
        "fine_sharpen_lightness": 0.7234,
        "coarse_sharpen_lightness": 0.9283,
        "fine_blur_size": 1.0,
        "coarse_blur_size": 3.0,
    }
    assert {name: params[name][1].tolist() for name in kept} == {
        name: pytest.approx(value, abs=1e-4) for name, value in kept.items()
    }
    changing = [name for name in params if name.endswith(("_flip", "_angle"))]
    assert len(changing) == 4 and not any(params[name].any() for name in changing)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": 7}, "tokens is 7"),
        ({"cells": 27}, "cells is 27"),
        ({"area": (0.9, 0.5)}, "`area`"),
        ({"ratio": (0, 1)}, "`ratio`"),
    ],
)
def test_bad_geometry_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        AlignedCrops(**options)


def test_images_smaller_than_a_crop_are_refused():
    for view, key in ((AlignedCrops(18, 8, 8), "tokens"), (PlainCrops(size=64), "size")):
        with pytest.raises(ValueError, match=key):
            view.sample(torch.Generator(), (60, 80))


def test_mean_overlap_of_the_small_geometry_is_known():
    # cells 18, tokens 8: enumerate coarse 0..2 and fine of its parity
    expected = []
    for coarse in range(3):
        fines = range(coarse % 2, 11, 2)
        expected.append(sum(min(f + 8, coarse + 16) - max(f, coarse) for f in fines) / len(fines))
    drawn = sampled(AlignedCrops(18, 8, 8), 1500, (144, 144))
    overlap = torch.minimum(drawn["fine_origin"] + 8, drawn["coarse_origin"] + 16)
    overlap = overlap - torch.maximum(drawn["fine_origin"], drawn["coarse_origin"])
    assert overlap.float().mean().item() == pytest.approx(math.fsum(expected) / 3, abs=0.08)
