"""Adam v2's crops judged from rendered pixels alone: an image whose values are its own coordinates."""

import pytest
import torch
from torch.utils.data import default_collate

from bundles.cxr_adam_v2.scripts.views import PartWholeCrops
from common.views import QUARTERS, ColourJitter

SIZE = (200, 260)


def small(**options) -> PartWholeCrops:
    return PartWholeCrops(**({"size": 32, "local_size": 16, "part_size": 24, "local_crops": 2, "margin": 20} | options))


def sampled(view, count, size=SIZE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return default_collate([view.sample(generator, size) for _ in range(count)])


def index_images(count, size=SIZE):
    """Two channels that hold the row and the column of every pixel centre, as fractions of the image."""
    places = [(torch.arange(length) + 0.5) / length for length in size]
    return torch.stack(torch.meshgrid(*places, indexing="ij")).expand(count, 2, *size)


def test_every_crop_has_its_name_and_size():
    view = small()
    rendered = view.render(index_images(3), sampled(view, 3))
    sides = {name: crop.shape[-1] for name, crop in rendered.items()}
    parts = dict.fromkeys(("whole", *QUARTERS), 24)
    assert sides == {"teacher": 32, "student": 32, "local0": 16, "local1": 16} | parts
    assert set(small(parts=False).render(index_images(1), sampled(small(parts=False), 1))) == set(sides) - set(parts)


@pytest.mark.parametrize("granularity", [0, 1, 2])
def test_quarters_tile_the_whole_row_by_row(granularity):
    view = small(granularity=granularity, part_size=32)
    params = sampled(view, 5)
    rendered = view.render(index_images(5), params)
    halves = torch.nn.functional.avg_pool2d(
        rendered["whole"], 16
    )  # the places of the four quarters, read off the pixels
    top, left, bottom, right = params["whole_box"].unbind(1)
    side = min(SIZE) / 2**granularity
    torch.testing.assert_close(bottom - top, torch.full((5,), side))
    torch.testing.assert_close(right - left, torch.full((5,), side))
    for index, name in enumerate(QUARTERS):
        row, col = divmod(index, 2)
        centre = rendered[name].mean((2, 3))
        torch.testing.assert_close(centre, halves[:, :, row, col], atol=2e-3, rtol=0)
        expected = torch.stack([top + (row + 0.5) * side / 2, left + (col + 0.5) * side / 2], 1) / torch.tensor(SIZE)
        torch.testing.assert_close(centre, expected, atol=2e-3, rtol=0)
        # a quarter spans half the whole, at the same number of pixels
        span = rendered[name][:, 0, -1, 0] - rendered[name][:, 0, 0, 0]
        torch.testing.assert_close(span * SIZE[0], torch.full((5,), side / 2 * 31 / 32), atol=1.2, rtol=0)


def test_the_whole_keeps_its_margin_where_there_is_room_and_fills_the_rest():
    # granularity 1: side 100, 100 rows and 160 columns free, margin 45 possible on both axes
    box = sampled(small(granularity=1, margin=45), 600)["whole_box"]
    assert box[:, 0].min() >= 45 and box[:, 0].max() <= 55
    assert box[:, 1].min() >= 45 and box[:, 1].max() <= 115
    assert box[:, 1].min() < 47 and box[:, 1].max() > 113
    # granularity 0: side 200, no row is free, and 60 columns are too few for two margins
    box = sampled(small(granularity=0, margin=45), 600)["whole_box"]
    assert box[:, 0].eq(0).all()
    assert box[:, 1].min() < 2 and box[:, 1].max() > 58
    assert box[:, 3].max() <= 260
    # just room enough for both margins
    assert sampled(small(granularity=1, margin=50), 20)["whole_box"][:, 0].eq(50).all()


@pytest.mark.parametrize("granularity", [0, 2])
def test_all_crops_of_localisation_lie_in_one_base_crop_of_their_granularity(granularity):
    view = small(granularity=granularity, local_crops=6)
    params = sampled(view, 200)
    names = ["teacher", "student", *view.local_names]
    boxes = torch.stack([params[f"{name}_box"] for name in names])
    extent = boxes[..., 2:].amax(0) - boxes[..., :2].amin(0)
    side = min(SIZE) / 2**granularity
    assert extent.max() <= side + 1e-3
    assert extent.max() > 0.97 * side
    assert boxes[..., 2].max() > SIZE[0] - 5 and boxes[..., 3].max() > SIZE[1] - 5  # anywhere in the image
    share = ((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])) / side**2
    assert share[:2].min() >= 0.4 - 1e-3 and share[:2].max() <= 1 + 1e-3
    assert share[2:].min() >= 0.05 - 1e-3 and share[2:].max() <= 0.4 + 1e-3
    assert share[2:].min() < 0.07 and share[2:].max() > 0.38
    assert not torch.equal(boxes[0], boxes[1])


def test_views_depend_on_the_generator_alone_and_each_crop_has_its_own_intensities():
    view = small(photometric=ColourJitter())
    images = torch.randint(0, 256, (40, 1, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    first, params = view.render(images, sampled(view, 40)), sampled(view, 40)
    again = view.render(images, params)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(crop.dtype == torch.float32 and crop.min() >= 0 and crop.max() <= 1 for crop in first.values())
    brightness = torch.stack([params[f"{name}_brightness"] for name in first])
    assert torch.corrcoef(brightness)[0, 1:].abs().max() < 0.6
    assert len(brightness.unique()) > 8 * 25


@pytest.mark.parametrize("key", ["local_crops", "granularity", "margin"])
def test_bad_settings_are_named(key):
    with pytest.raises(ValueError, match=f"{key} is -1"):
        small(**{key: -1})


def test_images_smaller_than_a_crop_are_refused():
    with pytest.raises(ValueError, match="size"):
        small().sample(torch.Generator(), (20, 90))


def test_crops_thinner_than_a_pixel_are_refused_by_name_of_the_granularity():
    # squares of 200 / 2^g; the smallest local crop is sqrt(0.05 * 3 / 4) = 0.194 of one wide, a quarter half of one
    small(granularity=5).sample(torch.Generator(), SIZE)  # 6.25 pixels, 1.21 of a local crop
    with pytest.raises(ValueError, match=r"granularity 6 makes squares of 3\.12 pixels.*`local0` crop is 0\.61 pixels"):
        small(granularity=6).sample(torch.Generator(), SIZE)
    without = {"local_crops": 0, "global_area": (1.0, 1.0)}  # a global crop is then 0.87 of the square wide
    small(granularity=6, **without).sample(torch.Generator(), SIZE)
    with pytest.raises(ValueError, match=r"granularity 7 .*`top_left` crop is 0\.78 pixels.*Lower `granularity`"):
        small(granularity=7, **without).sample(torch.Generator(), SIZE)
    small(granularity=7, parts=False, **without).sample(torch.Generator(), SIZE)


def test_two_digits_of_a_local_crop_do_not_mix_with_one():
    view = small(local_crops=11)
    params = sampled(view, 2)
    rendered = view.render(index_images(2), params)
    for name in ("local1", "local10"):
        centre = rendered[name].mean((2, 3)) * torch.tensor(SIZE)
        box = params[f"{name}_box"]
        torch.testing.assert_close(centre, (box[:, :2] + box[:, 2:]) / 2, atol=0.5, rtol=0)
