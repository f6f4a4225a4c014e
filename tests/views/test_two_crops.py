"""Two crops of one region against the single crop that draws and renders them, and against draws kept in numbers."""

import pytest
import torch
from torch.utils.data import default_collate

from common.views import AugmentedCrop, ColourJitter, TwoCrops

JITTER = ColourJitter(jitter=1.0, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.0, blur=0.5)
CROP = AugmentedCrop(32, area=(0.2, 1.0), flip=0.5, rotation=10.0, photometric=JITTER)  # BYOL's
SIZE = (70, 90)
# of the second image of seed 7, by the code that BYOL had to itself: its runs keep their views
KEPT = {
    "first_box": [0.1252, 15.714, 54.774, 87.3348],
    "first_angle": 0.6058,
    "first_brightness": 1.1126,
    "first_sigma": 0.5999,
    "second_box": [8.7139, 16.887, 68.1565, 69.0912],
    "second_angle": -1.9765,
    "second_contrast": 0.9227,
    "second_sigma": 0.114,
}


def sampled(view, region, count=2, seed=7):
    generator = torch.Generator().manual_seed(seed)
    return default_collate([view.sample(generator, region) for _ in range(count)])


def test_draws_are_those_kept_in_numbers():
    params = sampled(TwoCrops(CROP), SIZE)
    assert {name: params[name][1].tolist() for name in KEPT} == {
        name: pytest.approx(value, abs=1e-4) for name, value in KEPT.items()
    }
    assert (params["first_flip"].tolist()[1], params["second_flip"].tolist()[1]) == (False, True)


@pytest.mark.parametrize("region", [SIZE, torch.tensor([10.0, 20.0, 30.0, 44.0])])
def test_it_is_one_crop_drawn_and_rendered_twice(region):
    view = TwoCrops(CROP, names=("query", "key"))
    params = sampled(view, region, count=1)
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (1, 1, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rendered = view.render(images, params)
    assert list(rendered) == list(view.boxes(params)) == ["query", "key"]
    for name in ("query", "key"):
        alone = default_collate([CROP.sample(generator, region)])
        assert all(torch.equal(params[f"{name}_{key}"], value) for key, value in alone.items())
        assert torch.equal(rendered[name], CROP.render(images, alone))
        assert torch.equal(view.boxes(params)[name], alone["box"])
    assert len(params) == 2 * len(alone)
    assert not torch.equal(rendered["query"], rendered["key"])


def test_crops_are_independent():
    params = sampled(TwoCrops(CROP), SIZE, count=300)
    heights = torch.stack([params[f"{name}_box"][:, 2] - params[f"{name}_box"][:, 0] for name in ("first", "second")])
    assert abs(torch.corrcoef(heights)[0, 1]) < 0.2


def test_an_image_smaller_than_a_view_is_refused_and_a_part_of_one_is_enlarged():
    with pytest.raises(ValueError, match="size"):
        TwoCrops(CROP).sample(torch.Generator(), (20, 40))
    TwoCrops(CROP).sample(torch.Generator(), torch.tensor([0.0, 0.0, 20.0, 40.0]))
