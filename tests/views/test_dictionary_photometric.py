import pytest
import torch

from common.views.dictionary_photometric import RandBrightnessContrastd, RandCLAHEd


@pytest.fixture
def sample():
    generator = torch.Generator().manual_seed(0)
    return {
        "image": 0.4 + 0.1 * torch.rand(1, 64, 64, generator=generator),
        "mask": torch.ones(1, 64, 64, dtype=torch.uint8),
    }


def test_brightness_contrast_is_affine_within_its_limits(sample):
    transform = RandBrightnessContrastd(["image"], brightness=0.1, contrast=0.2, prob=1.0)
    draws = []
    for seed in range(40):
        out = transform.set_random_state(seed)(sample)["image"].flatten()
        x = sample["image"].flatten()
        factor = ((out - out.mean()) * (x - x.mean())).sum() / ((x - x.mean()) ** 2).sum()
        shift = (out - factor * x).mean()
        assert torch.allclose(factor * x + shift, out, atol=1e-4)
        draws.append((factor.item(), shift.item()))
    factors, shifts = zip(*draws, strict=True)
    assert 0.8 <= min(factors) < 0.85 and 1.15 < max(factors) <= 1.2
    assert -0.101 <= min(shifts) < -0.07 and 0.07 < max(shifts) <= 0.101


def test_clahe_spreads_a_narrow_histogram(sample):
    out = RandCLAHEd(["image"], limit=(4, 4), tiles=2, prob=1.0)(sample)["image"]
    assert out.std() > 2 * sample["image"].std() and out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize("transform", [RandBrightnessContrastd(["image"], prob=0.5), RandCLAHEd(["image"], prob=0.5)])
def test_probability_seed_and_untouched_keys(sample, transform):
    transform.set_random_state(0)
    changed = [not torch.equal(transform(sample)["image"], sample["image"]) for _ in range(60)]
    assert 18 <= sum(changed) <= 42
    first = transform.set_random_state(5)(sample)
    assert torch.equal(first["image"], transform.set_random_state(5)(sample)["image"])
    assert first["mask"] is sample["mask"]
