"""Random boxes against their stated ranges."""

import math

import pytest
import torch

from common.views import check_fits, check_range, check_thickness, quarter_boxes, random_resized_box, thinnest_crop


def draw(count, size, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([random_resized_box(generator, size, **options) for _ in range(count)]).double()


def test_boxes_lie_inside_and_cover_the_ranges_of_area_and_shape():
    boxes = draw(4000, (100, 120), area=(0.2, 0.5))
    assert boxes[:, :2].min() >= 0
    assert boxes[:, 2].max() <= 100 + 1e-4
    assert boxes[:, 3].max() <= 120 + 1e-4
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share, ratio = height * width / (100 * 120), width / height
    assert share.min() == pytest.approx(0.2, abs=0.005)
    assert share.max() == pytest.approx(0.5, abs=0.005)
    assert share.mean() == pytest.approx(0.35, abs=0.01)
    assert ratio.min() == pytest.approx(3 / 4, abs=0.01)
    assert ratio.max() == pytest.approx(4 / 3, abs=0.01)
    assert ratio.log().mean() == pytest.approx(0, abs=0.02)
    free = (100 - height).clamp(min=1e-6)
    assert (boxes[:, 0] / free).mean() == pytest.approx(0.5, abs=0.03)


def test_whole_area_at_square_ratio_is_the_whole_image():
    assert draw(1, (64, 64), area=(1, 1), ratio=(1, 1))[0].tolist() == pytest.approx([0, 0, 64, 64], abs=1e-4)


def test_when_no_shape_fits_the_largest_centred_box_is_taken():
    # A flat image, all of its area wanted at ratios up to 4/3: the ratio limits the width.
    box = draw(1, (30, 300), area=(1, 1))[0].tolist()
    assert box == pytest.approx([0, 130, 30, 170], abs=1e-4)
    tall = draw(1, (300, 30), area=(1, 1))[0].tolist()
    assert tall == pytest.approx([130, 0, 170, 30], abs=1e-4)


def test_boxes_depend_on_the_generator_alone_and_draw_a_fixed_count():
    torch.manual_seed(1)
    first = draw(3, (50, 50), area=(0.3, 1))
    torch.manual_seed(2)
    assert torch.equal(first, draw(3, (50, 50), area=(0.3, 1)))
    assert not torch.equal(first, draw(3, (50, 50), seed=1, area=(0.3, 1)))
    left, right = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    random_resized_box(left, (30, 300), (1, 1))
    random_resized_box(right, (50, 50), (0.3, 1))
    assert torch.equal(torch.rand(1, generator=left), torch.rand(1, generator=right))


def test_ranges_and_sizes_are_checked_by_name():
    assert check_range([0.2, 0.5], (0, 1), "area") == (0.2, 0.5)
    for bad in ((0.5, 0.2), (-0.1, 0.5), (0.5, math.nan)):
        with pytest.raises(ValueError, match="`area`"):
            check_range(bad, (0, 1), "area")
    check_fits(64, (64, 80), "size")
    with pytest.raises(ValueError, match=r"64 x 60.*Build the store at 64"):
        check_fits(64, (64, 60), "size")


def test_quarters_of_a_box_row_by_row():
    found = quarter_boxes(torch.tensor([10.0, 20.0, 14.0, 28.0]))
    assert found.tolist() == [[10, 20, 12, 24], [10, 24, 12, 28], [12, 20, 14, 24], [12, 24, 14, 28]]


@pytest.mark.parametrize("ratio", [(3 / 4, 4 / 3), (0.5, 1.0), (1.0, 3.0)])
def test_no_crop_is_thinner_than_the_thinnest_and_one_comes_near_it(ratio):
    boxes = draw(4000, (100, 100), area=(0.05, 0.06), ratio=ratio)
    found = (boxes[:, 2:] - boxes[:, :2]).min().item()
    assert 0.999 * thinnest_crop(100, (0.05, 0.06), ratio) < found < 1.02 * thinnest_crop(100, (0.05, 0.06), ratio)
    assert thinnest_crop(100, None, ratio) == 100


def test_a_crop_thinner_than_a_pixel_is_refused_in_words():
    check_thickness(1.0, "a part", "Lower `level`.")
    with pytest.raises(ValueError, match=r"^a part is 0\.99 pixels thin; expected a pixel or more. Lower `level`\.$"):
        check_thickness(0.99, "a part", "Lower `level`.")
