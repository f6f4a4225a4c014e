"""Photometric operations against SciPy and against CLAHE written out tile by tile."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from common.views import Photometric, add_prefix, take_prefix
from common.views.photometric import adjust, blur, equalise, sharpen


def textured(count=1, channels=1, side=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, side, mode="bicubic")
    return (0.85 * smooth + 0.15 * torch.rand(count, channels, side, side, generator=generator)).clamp(0, 1)


def sampled(photometric, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draws = [photometric.sample(generator) for _ in range(count)]
    return {name: torch.stack([draw[name] for draw in draws]) for name in draws[0]}


def clahe_by_hand(image, limit, tiles):
    """OpenCV's algorithm, with tile centres at their true place; sides must be divisible by `tiles`."""
    side = image.shape[0] // tiles
    levels = (image * 255).astype(np.int64)
    tables = np.zeros((tiles, tiles, 256))
    for row, col in np.ndindex(tiles, tiles):
        tile = levels[row * side : (row + 1) * side, col * side : (col + 1) * side]
        histogram = np.bincount(tile.ravel(), minlength=256)
        clip = max(int(limit * side * side / 256), 1)
        excess = np.maximum(histogram - clip, 0).sum()
        histogram = np.minimum(histogram, clip) + excess // 256
        residual = excess % 256
        if residual:
            step = max(256 // residual, 1)
            histogram[np.arange(residual) * step] += 1
        tables[row, col] = np.clip(np.rint(histogram.cumsum() * 255 / (side * side)), 0, 255)
    out = np.zeros_like(image)
    for row, col in np.ndindex(*image.shape):
        y, x = (row + 0.5) / side - 0.5, (col + 0.5) / side - 0.5
        value = 0.0
        for tile_row, tile_col in ((a, b) for a in (0, 1) for b in (0, 1)):
            near_row, near_col = int(np.floor(y)) + tile_row, int(np.floor(x)) + tile_col
            weight = (1 - abs(y - near_row)) * (1 - abs(x - near_col))
            table = tables[np.clip(near_row, 0, tiles - 1), np.clip(near_col, 0, tiles - 1)]
            value += weight * table[levels[row, col]]
        out[row, col] = value / 255
    return out


def test_contrast_and_brightness_are_a_line_cut_to_the_unit_range():
    images = textured(2)
    out = adjust(images, torch.tensor([1.2, 0.8]), torch.tensor([0.1, -0.2]))
    torch.testing.assert_close(out[0], (1.2 * images[0] + 0.1).clamp(0, 1))
    torch.testing.assert_close(out[1], (0.8 * images[1] - 0.2).clamp(0, 1))


def test_blur_uses_each_image_s_own_kernel():
    images = textured(3, channels=2, side=20)
    out = blur(images, torch.tensor([3.0, 5.0, 7.0]), largest=7)
    for index, (side, sigma) in enumerate([(3, 0.8), (5, 1.1), (7, 1.4)]):
        offsets = np.arange(side) - side // 2
        kernel = np.exp(-(offsets**2) / (2 * sigma**2))
        kernel /= kernel.sum()
        for channel in range(2):
            expected = ndimage.convolve1d(images[index, channel].double().numpy(), kernel, axis=0, mode="mirror")
            expected = ndimage.convolve1d(expected, kernel, axis=1, mode="mirror")
            np.testing.assert_allclose(out[index, channel].numpy(), expected, atol=1e-6)


def test_sharpen_blends_with_the_high_pass_image():
    images = textured(2, side=20)
    out = sharpen(images, torch.tensor([0.2, 0.5]), torch.tensor([1.0, 0.5]))
    for index, (alpha, lightness) in enumerate([(0.2, 1.0), (0.5, 0.5)]):
        kernel = np.full((3, 3), -1.0)
        kernel[1, 1] = 8 + lightness
        original = images[index, 0].double().numpy()
        high_pass = ndimage.convolve(original, kernel, mode="mirror")
        expected = np.clip((1 - alpha) * original + alpha * high_pass, 0, 1)
        np.testing.assert_allclose(out[index, 0].numpy(), expected, atol=2e-6)


@pytest.mark.parametrize(("side", "tiles"), [(64, 8), (64, 2), (40, 4)])
def test_equalisation_uses_each_image_s_own_limit(side, tiles):
    images = textured(2, side=side)
    limits = (1.5, 4.0)
    out = equalise(images, torch.tensor(limits), tiles)
    for index, limit in enumerate(limits):
        expected = clahe_by_hand(images[index, 0].numpy(), limit, tiles)
        np.testing.assert_allclose(out[index, 0].numpy(), expected, atol=1.01 / 255)
        assert np.abs(out[index, 0].numpy() - expected).mean() < 0.1 / 255


def test_the_clip_limit_matters_on_tiles_of_enough_pixels_only():
    images, low, high = textured(), torch.tensor([1.5]), torch.tensor([4.0])
    assert not torch.allclose(equalise(images, low, 2), equalise(images, high, 2))
    assert torch.equal(equalise(images, low, 8), equalise(images, high, 8))


def test_equalisation_of_a_grey_colour_image_stays_grey():
    out = equalise(textured().expand(1, 3, 64, 64), torch.tensor([3.0]), 4)
    assert (out - out.mean(1, keepdim=True)).abs().max() < 2e-3
    assert out.min() >= 0
    assert out.max() <= 1


def test_parameters_have_the_stated_probabilities_and_ranges():
    drawn = sampled(Photometric(), 4000)
    assert (drawn["contrast"] != 1).float().mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn["blur_size"] > 1).float().mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn["sharpen_alpha"] > 0).float().mean() == pytest.approx(0.3, abs=0.03)
    assert (drawn["clahe_limit"] > 0).float().mean() == pytest.approx(0.3, abs=0.03)
    assert set(drawn["blur_size"].tolist()) == {1, 3, 5, 7}
    assert drawn["contrast"].min() == pytest.approx(0.8, abs=0.005)
    assert drawn["contrast"].max() == pytest.approx(1.2, abs=0.005)
    assert drawn["brightness"].min() == pytest.approx(-0.2, abs=0.005)
    assert drawn["brightness"].max() == pytest.approx(0.2, abs=0.005)
    alpha = drawn["sharpen_alpha"][drawn["sharpen_alpha"] > 0]
    assert (alpha.min(), alpha.max()) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.5, abs=0.01))
    assert drawn["sharpen_lightness"].min() == pytest.approx(0.5, abs=0.01)
    limit = drawn["clahe_limit"][drawn["clahe_limit"] > 0]
    assert (limit.min(), limit.max()) == (pytest.approx(1, abs=0.05), pytest.approx(4, abs=0.05))
    switches = torch.stack([drawn["contrast"] != 1, drawn["blur_size"] > 1, drawn["clahe_limit"] > 0]).float()
    assert torch.corrcoef(switches).fill_diagonal_(0).abs().max() < 0.06


def test_operations_leave_images_with_neutral_parameters_alone():
    images = textured(2)
    torch.testing.assert_close(blur(images, torch.tensor([1.0, 7.0]), largest=7)[0], images[0])
    torch.testing.assert_close(sharpen(images, torch.tensor([0.0, 0.5]), torch.ones(2))[0], images[0])
    assert torch.isfinite(equalise(images, torch.tensor([0.0, 2.0]), 8)).all()


def test_neutral_parameters_change_nothing():
    off = Photometric(brightness_contrast=0, blur=0, sharpen=0, clahe=0)
    images = textured(3)
    assert torch.equal(off.apply(images, sampled(off, 3)), images)


def test_an_image_does_not_depend_on_its_batch():
    photometric = Photometric(0.9, 0.6, 0.6, 0.6)
    images, params = textured(6), sampled(photometric, 6)
    together = photometric.apply(images, params)
    backwards = photometric.apply(images.flip(0), {k: v.flip(0) for k, v in params.items()}).flip(0)
    torch.testing.assert_close(backwards, together, atol=1e-6, rtol=0)
    for index in range(6):
        one = {name: value[index : index + 1] for name, value in params.items()}
        torch.testing.assert_close(
            photometric.apply(images[index : index + 1], one)[0], together[index], atol=1e-6, rtol=0
        )


def test_all_randomness_is_the_generator_s():
    photometric = Photometric(1, 1, 1, 1)
    torch.manual_seed(1)
    first = photometric.apply(textured(3), sampled(photometric, 3))
    state = torch.get_rng_state()
    second = photometric.apply(textured(3), sampled(photometric, 3))
    assert torch.equal(first, second)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, photometric.apply(textured(3), sampled(photometric, 3, seed=1)))


def test_the_input_is_left_as_it_was():
    images = textured(2)
    copy = images.clone()
    photometric = Photometric(1, 1, 1, 1)
    out = photometric.apply(images, sampled(photometric, 2))
    assert torch.equal(images, copy)
    assert out.min() >= 0
    assert out.max() <= 1


def test_switching_one_operation_off_leaves_the_draws_of_the_others():
    with_blur, without = sampled(Photometric(), 50), sampled(Photometric(blur=0), 50)
    assert without["blur_size"].eq(1).all()
    for name in set(with_blur) - {"blur_size"}:
        assert torch.equal(with_blur[name], without[name])


def test_prefixes_keep_two_crops_apart():
    both = add_prefix({"a": torch.tensor(1)}, "fine_") | add_prefix({"a": torch.tensor(2)}, "coarse_")
    assert take_prefix(both, "fine_") == {"a": torch.tensor(1)}
    assert take_prefix(both, "coarse_") == {"a": torch.tensor(2)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blur": 1.2}, "photometric.blur is 1.2"),
        ({"blur_sizes": (3, 4)}, "odd"),
        ({"sharpen_alpha": (0.5, 0.2)}, "sharpen_alpha"),
        ({"clahe_limit": (0, 4)}, "clahe_limit"),
    ],
)
def test_bad_settings_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Photometric(**options)
