import numpy as np
import pytest
import torch
from monai.transforms import Compose, OneOf, Rand2DElasticd, RandAffined, RandGridDistortiond

from common.views.dictionary_geometric import RandOpticalDistortiond, RandResizedCropd, distortion_grid

MODES = ["bilinear", "nearest"]
KEYS = ["image", "mask"]


def disc(size=64, centre=(24, 38), radius=11):
    rows, cols = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    inside = ((rows - centre[0]) ** 2 + (cols - centre[1]) ** 2 < radius**2)[None]
    mask = inside.to(torch.uint8)
    mask[:, :, :4] = 255
    return {"image": torch.where(mask == 255, 0.5, inside.float()), "mask": mask}


def movers(size=64):
    """Every geometric transform the segmentation recipe uses, always on."""
    return {
        "crop": RandResizedCropd(KEYS, size, area=(0.4, 0.9), ratio=(1, 1), mode=MODES),
        "optical": RandOpticalDistortiond(KEYS, mode=MODES, prob=1.0),
        "elastic": Rand2DElasticd(KEYS, spacing=12, magnitude_range=(2, 2), mode=MODES, prob=1.0),
        "grid": RandGridDistortiond(KEYS, 5, distort_limit=0.3, mode=MODES, padding_mode="reflection", prob=1.0),
        "affine": RandAffined(KEYS, prob=1.0, rotate_range=0.17, mode=MODES, padding_mode="reflection"),
    }


@pytest.mark.parametrize("name", movers())
def test_mask_moves_with_the_image(name):
    transform = movers()[name]
    for seed in range(5):
        transform.set_random_state(seed)
        out = transform(disc())
        image, mask = torch.as_tensor(out["image"]), torch.as_tensor(out["mask"])
        assert image.shape == mask.shape == (1, 64, 64)
        assert set(mask.unique().tolist()) <= {0, 1, 255}
        assert not torch.equal(mask.to(torch.uint8), disc()["mask"])
        away = (image < 0.05) | (image > 0.95)  # not on a blurred edge nor in the unannotated strip
        agree = (mask == image.round())[away & (mask != 255)].float().mean()
        assert agree > 0.995, (name, seed)


@pytest.mark.parametrize("name", movers())
def test_reseeding_repeats_the_draw(name):
    transform = Compose([OneOf([movers()[name], movers()["crop"]])])
    first = transform.set_random_state(3)(disc())["image"]
    other = transform.set_random_state(4)(disc())["image"]
    again = transform.set_random_state(3)(disc())["image"]
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_whole_box_is_a_plain_resize():
    image = torch.rand(2, 40, 60)
    out = RandResizedCropd(["image"], 24, prob=0.0)({"image": image})["image"]
    expected = torch.nn.functional.interpolate(image[None], (24, 24), mode="bilinear", antialias=True)[0]
    assert torch.allclose(out, expected, atol=1e-5)


def test_nearest_and_bilinear_crops_agree_on_a_ramp():
    ramp = torch.arange(128.0).repeat(128, 1)[None] + 3 * torch.arange(128.0)[:, None]
    transform = RandResizedCropd(KEYS, 96, area=(0.3, 0.8), mode=MODES).set_random_state(1)
    out = transform({"image": ramp, "mask": ramp.clone()})
    assert (out["image"] - out["mask"]).abs()[:, 2:-2, 2:-2].max() < 2.1  # half a pixel of each axis


def test_distortion_grid_follows_the_formula():
    height, width, k, shift = 30, 40, 0.7, (0.3, -0.4)
    grid = distortion_grid(height, width, k, shift)
    for row, col in [(0, 0), (14, 22), (29, 39)]:
        y, x = (row + 0.5 - 15 - 0.3) / 40, (col + 0.5 - 20 + 0.4) / 40
        r2 = y * y + x * x
        factor = 1 + k * r2 + k * r2 * r2
        expected = [2 * (x * factor * 40 + 20 - 0.4) / 40 - 1, 2 * (y * factor * 40 + 15 + 0.3) / 30 - 1]
        assert np.allclose(grid[row, col], expected, atol=1e-5)


def test_no_distortion_is_the_identity():
    sample = disc()
    out = RandOpticalDistortiond(KEYS, strength=(0, 0), shift=0, mode=MODES, prob=1.0)(sample)
    assert torch.allclose(out["image"], sample["image"], atol=1e-5) and torch.equal(out["mask"], sample["mask"])


def test_bad_ranges_are_named():
    with pytest.raises(ValueError, match=r"RandResizedCropd\.area"):
        RandResizedCropd(["image"], 8, area=(0.5, 1.5))
    with pytest.raises(ValueError, match="cubic"):
        RandOpticalDistortiond(["image"], mode="cubic")
