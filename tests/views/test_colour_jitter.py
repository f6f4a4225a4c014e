"""ColourJitter against formulas written out per image, Pillow-like hue turns and SciPy's Gaussian filter."""

import colorsys

import numpy as np
import pytest
import torch
from kornia.filters import gaussian_blur2d
from scipy.ndimage import gaussian_filter
from torch.utils.data import default_collate

from common.views import ColourJitter
from common.views.colour_jitter import gaussian_blur

NEUTRAL = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0, "sigma": 0.0}


def images(channels, count=2, size=24):
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(channels))


def params(**changed):
    values = {name: [value] * 2 for name, value in NEUTRAL.items()} | changed
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}


def test_neutral_parameters_change_nothing():
    for channels in (1, 3):
        assert torch.equal(ColourJitter().apply(images(channels), params()), images(channels))


def test_each_image_gets_its_own_brightness_and_contrast():
    grey = images(1)
    out = ColourJitter().apply(grey, params(brightness=[1.0, 1.3], contrast=[0.6, 1.0]))
    assert torch.allclose(out[0], 0.6 * grey[0] + 0.4 * grey[0].mean(), atol=1e-6)
    assert torch.allclose(out[1], (1.3 * grey[1]).clamp(0, 1), atol=1e-6)


def test_colour_contrast_is_about_the_mean_grey_value():
    rgb = images(3)
    out = ColourJitter().apply(rgb, params(contrast=[0.5, 1.0]))
    mean = (0.299 * rgb[0, 0] + 0.587 * rgb[0, 1] + 0.114 * rgb[0, 2]).mean()
    assert torch.allclose(out[0], 0.5 * rgb[0] + 0.5 * mean, atol=1e-6)


def test_saturation_mixes_with_the_pixels_own_grey():
    rgb = images(3)
    out = ColourJitter().apply(rgb, params(saturation=[0.0, 0.5]))
    assert torch.allclose(out[0, 0], out[0, 1], atol=1e-3) and torch.allclose(out[0, 1], out[0, 2], atol=1e-3)
    assert torch.allclose(out[1], 0.5 * rgb[1] + 0.5 * _grey(rgb[1]), atol=5e-3)


def _grey(rgb):
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]


def test_hue_turns_by_a_share_of_the_circle():
    rgb = images(3, size=6)
    out = ColourJitter().apply(rgb, params(hue=[0.1, 0.0]))
    for row in range(6):
        for col in range(6):
            hue, saturation, value = colorsys.rgb_to_hsv(*rgb[0, :, row, col].tolist())
            expected = colorsys.hsv_to_rgb((hue + 0.1) % 1, saturation, value)
            assert np.allclose(out[0, :, row, col].numpy(), expected, atol=2e-3)
    assert torch.allclose(out[1], rgb[1], atol=1e-6)


def test_blur_is_kornias_to_the_bit():
    images, sigma = torch.rand(3, 1, 20, 24, generator=torch.Generator().manual_seed(0)), torch.tensor([0.1, 1.0, 2.0])
    expected = gaussian_blur2d(images, (13, 13), sigma[:, None].expand(-1, 2), border_type="reflect")
    assert torch.equal(gaussian_blur(images, sigma, largest=2.0), expected)


def test_blur_is_scipys_gaussian():
    grey = images(1)
    out = ColourJitter().apply(grey, params(sigma=[1.5, 0.0]))
    expected = gaussian_filter(grey[0, 0].numpy(), 1.5, mode="mirror", truncate=4)
    assert np.allclose(out[0, 0].numpy(), expected, atol=2e-3)
    assert torch.equal(out[1], grey[1])


def test_grey_images_ignore_saturation_and_hue():
    grey = images(1)
    assert torch.equal(ColourJitter().apply(grey, params(saturation=[0.2, 1.4], hue=[0.1, -0.1])), grey)


def test_draws_follow_probabilities_and_limits():
    jitter = ColourJitter(jitter=0.8, brightness=0.4, contrast=0.3, hue=0.1, blur=0.5, blur_sigma=(0.1, 2.0))
    drawn = default_collate([jitter.sample(torch.Generator().manual_seed(seed)) for seed in range(1000)])
    on = drawn["brightness"] != 1
    assert 0.75 < on.float().mean() < 0.85 and torch.equal(on, drawn["hue"] != 0)
    assert 0.6 <= drawn["brightness"].min() < 0.63 and 1.37 < drawn["brightness"].max() <= 1.4
    assert 0.7 <= drawn["contrast"].min() < 0.73 and 1.27 < drawn["contrast"].max() <= 1.3
    assert -0.1 <= drawn["hue"].min() < -0.09 and 0.09 < drawn["hue"].max() <= 0.1
    blurred = drawn["sigma"][drawn["sigma"] > 0]
    assert 0.45 < len(blurred) / 1000 < 0.55 and 0.1 <= blurred.min() < 0.2 and 1.9 < blurred.max() <= 2


@pytest.mark.parametrize("bad", [{"jitter": 2}, {"hue": 0.6}, {"brightness": -0.1}, {"blur_sigma": (2.0, 1.0)}])
def test_values_out_of_bounds_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ColourJitter(**bad)
