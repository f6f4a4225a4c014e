"""AugmentedCrop: where its box lies, what flip and rotation do to an image whose pixels say where they are."""

import pytest
import torch
from torch.utils.data import default_collate

from common.views import AugmentedCrop, ColourJitter, add_prefix, crop_resize, render_together, rotate


def index_image(height, width):
    """Channel 0 holds the row, channel 1 the column, as a fraction of the size."""
    rows, cols = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    return torch.stack([rows, cols])[None]


def draws(crop, region, count=200):
    return default_collate([crop.sample(torch.Generator().manual_seed(seed), region) for seed in range(count)])


def test_boxes_stay_inside_a_region_away_from_the_origin_and_have_the_stated_area():
    region = torch.tensor([30.0, 50.0, 70.0, 130.0])
    params = draws(AugmentedCrop(8, area=(0.2, 1.0)), region)
    top, left, bottom, right = params["box"].unbind(1)
    assert top.min() >= 30 and left.min() >= 50 and bottom.max() <= 70 + 1e-4 and right.max() <= 130 + 1e-4
    share = (bottom - top) * (right - left) / (40 * 80)
    assert share.min() >= 0.2 - 1e-4 and share.max() > 0.6  # 2/3 is the largest of this shape
    ratio = (right - left) / (bottom - top)
    assert ratio.min() >= 3 / 4 - 1e-3 and ratio.max() <= 4 / 3 + 1e-3


def test_without_an_area_the_whole_region_is_taken():
    crop = AugmentedCrop(8, area=None)
    assert crop.sample(torch.Generator(), (10, 20))["box"].tolist() == [0, 0, 10, 20]
    region = torch.tensor([1.0, 2.0, 5.0, 9.0])
    assert torch.equal(crop.sample(torch.Generator(), region)["box"], region)


def test_flip_and_angle_have_their_distributions():
    params = draws(AugmentedCrop(8, flip=0.25, rotation=30), (64, 64), count=800)
    assert 0.18 < params["flip"].float().mean() < 0.32
    assert -30 <= params["angle"].min() < -27 and 27 < params["angle"].max() <= 30
    assert not draws(AugmentedCrop(8), (64, 64))["flip"].any()


def test_a_flipped_view_is_the_mirrored_crop():
    images = index_image(40, 60).expand(2, -1, -1, -1)
    params = {
        "box": torch.tensor([[4.0, 10.0, 36.0, 42.0]] * 2),
        "flip": torch.tensor([False, True]),
        "angle": torch.zeros(2),
    }
    views = AugmentedCrop(32, flip=0.5).render(images, params)
    assert torch.equal(views[0], images[0, :, 4:36, 10:42])
    assert torch.allclose(views[1], images[0, :, 4:36, 10:42].flip(2), atol=1e-6)


def test_the_prefix_chooses_one_of_two_crops():
    images = index_image(40, 60)
    own = {"box": torch.tensor([[0.0, 0.0, 8.0, 8.0]]), "flip": torch.tensor([False]), "angle": torch.zeros(1)}
    other = {**own, "box": torch.tensor([[8.0, 8.0, 16.0, 16.0]])}
    params = {**{f"a_{k}": v for k, v in own.items()}, **{f"b_{k}": v for k, v in other.items()}}
    crop = AugmentedCrop(8)
    assert torch.equal(crop.render(images, params, "b_")[0], images[0, :, 8:16, 8:16])


def test_a_quarter_turn_is_rot90_and_whole_turns_change_nothing():
    images = torch.rand(3, 2, 12, 12, generator=torch.Generator().manual_seed(0))
    turned = rotate(images, torch.tensor([90.0, -90.0, 360.0]))
    assert torch.allclose(turned[0], images[0].rot90(1, (1, 2)), atol=1e-4)
    assert torch.allclose(turned[1], images[1].rot90(-1, (1, 2)), atol=1e-4)
    assert torch.allclose(turned[2], images[2], atol=1e-4)


def test_rotating_a_wide_image_keeps_shapes_and_blackens_corners():
    ones = torch.ones(1, 1, 20, 40)
    turned = rotate(ones, torch.tensor([30.0]))
    assert turned[0, 0, 10, 20] == 1 and turned[0, 0, 0, 0] == 0
    # a disc about the centre stays a disc: distances are pixels on both axes
    rows, cols = torch.meshgrid(torch.arange(20) - 9.5, torch.arange(40) - 19.5, indexing="ij")
    disc = ((rows**2 + cols**2) < 49).float()[None, None]
    assert (rotate(disc, torch.tensor([37.0])) - disc).abs().sum() < 0.15 * disc.sum()


@pytest.mark.parametrize("rotate_first", [False, True])
def test_rotation_and_photometric_change_come_in_their_order(rotate_first):
    crop = AugmentedCrop(16, area=None, rotation=45, photometric=ColourJitter(blur=0), rotate_first=rotate_first)
    params = default_collate([crop.sample(torch.Generator().manual_seed(3), (16, 16))])
    params |= {"angle": torch.tensor([45.0]), "brightness": torch.tensor([1.0]), "contrast": torch.tensor([0.5])}
    image = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    plain = crop_resize(image, params["box"], 16)
    turned = rotate(plain, torch.tensor([45.0]))
    greyed = rotate(0.5 * plain + 0.5 * plain.mean(), torch.tensor([45.0]))
    expected = 0.5 * turned + 0.5 * turned.mean() if rotate_first else greyed
    view = crop.render(image, params)
    assert torch.allclose(view, expected, atol=1e-6)
    assert (view[0, 0, 0, 0] > 0.1) == rotate_first  # the black corner is made grey, or was black only afterwards


def test_a_centred_crop_lies_about_the_centre_of_its_region():
    region = torch.tensor([30.0, 50.0, 70.0, 130.0])
    box = draws(AugmentedCrop(8, area=(0.1, 0.5), centred=True), region)["box"]
    torch.testing.assert_close((box[:, :2] + box[:, 2:]) / 2, torch.tensor([[50.0, 90.0]]).expand(200, 2))
    share = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) / (40 * 80)
    assert 0.1 - 1e-4 <= share.min() < 0.13 and 0.45 < share.max() <= 0.5 + 1e-4


@pytest.mark.parametrize("bad", [{"flip": 1.5}, {"rotation": -1}, {"area": (0.5, 0.2)}, {"ratio": (0, 1)}])
def test_values_out_of_bounds_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        AugmentedCrop(8, **bad)


@pytest.mark.parametrize("rotate_first", [False, True])
def test_crops_rendered_together_are_those_rendered_alone(rotate_first):
    jitter = ColourJitter(jitter=1.0, blur=0.5)
    options = {"photometric": jitter, "rotate_first": rotate_first}
    crops = {
        "still": AugmentedCrop(16, flip=0.5, **options),
        "turned": AugmentedCrop(16, flip=0.5, rotation=40, **options),
        "plain": AugmentedCrop(16),
        "small": AugmentedCrop(8, rotation=40, **options),
        "other": AugmentedCrop(16, rotation=20, **options),
    }
    samples = [
        {
            key: value
            for number, (name, crop) in enumerate(crops.items())
            for key, value in add_prefix(
                crop.sample(torch.Generator().manual_seed(10 * image + number), (40, 60)), f"{name}_"
            ).items()
        }
        for image in range(3)
    ]
    images, params = torch.rand(3, 2, 40, 60, generator=torch.Generator().manual_seed(0)), default_collate(samples)
    together = render_together(images, params, crops)
    assert list(together) == list(crops)
    for name, crop in crops.items():
        assert torch.allclose(together[name], crop.render(images, params, f"{name}_"), atol=1e-6), name
