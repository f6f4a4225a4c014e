"""crop_resize against slices, analytic ramps, PyTorch's filters and a filter written out per pixel."""

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from common.views import crop_resize, crops_resize


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def whole(images):
    return torch.tensor([[0.0, 0.0, *images.shape[2:]]]).expand(len(images), 4)


def triangle_by_hand(image, box, size):
    """Every output pixel as a weighted mean over pixels, one at a time."""
    out = np.zeros(size)
    for axis_values in np.ndindex(*size):
        weights = []
        for index, start, end, length, count in zip(axis_values, box[:2], box[2:], image.shape, size, strict=True):
            step = (end - start) / count
            centre = start + (index + 0.5) * step
            distance = np.abs(np.arange(length) + 0.5 - centre) / max(step, 1.0)
            weight = np.clip(1 - distance, 0, None)
            weights.append(weight / weight.sum())
        out[axis_values] = weights[0] @ image @ weights[1]
    return out


def test_whole_image_at_its_own_size_is_unchanged():
    images = noise(2, 3, 17, 23)
    assert torch.equal(crop_resize(images, whole(images), (17, 23)), images)
    bytes_ = (images * 255).to(torch.uint8)
    assert torch.equal(crop_resize(bytes_, whole(images), (17, 23)), bytes_.float() / 255)


def test_boxes_on_pixel_borders_are_slices_with_rows_first():
    images = noise(2, 1, 20, 30)
    boxes = torch.tensor([[3.0, 11.0, 11.0, 19.0], [0.0, 22.0, 8.0, 30.0]])
    out = crop_resize(images, boxes, 8)
    assert torch.equal(out[0], images[0, :, 3:11, 11:19])
    assert torch.equal(out[1], images[1, :, 0:8, 22:30])


def test_outside_of_the_image_is_zero_and_its_edge_is_not_darkened():
    images = noise(1, 1, 10, 12) + 0.5
    out = crop_resize(images, torch.tensor([[-4.0, 5.0, 4.0, 13.0]]), 8)
    assert torch.equal(out, functional.pad(images, (0, 1, 4, 0))[:, :, 0:8, 5:13])
    far = crop_resize(images, torch.tensor([[50.0, 50.0, 58.0, 58.0]]), 8)
    assert torch.equal(far, torch.zeros(1, 1, 8, 8))


def test_squares_whose_axes_are_made_together_are_what_each_axis_gives_by_itself():
    images = noise(2, 1, 16, 16)
    corners = torch.tensor([[[1.0, 6.0], [0.5, 3.0]], [[7.0, 2.0], [4.0, 0.0]], [[-2.0, 9.0], [3.3, 8.0]]])
    boxes = torch.cat([corners, corners + torch.tensor([5.0, 8.0])], dim=2)
    together = crops_resize(images, boxes, 6, flip_VB=torch.tensor([[True, False], [False, False], [True, True]]))
    longer = functional.pad(images, (0, 4))  # another width, and nothing of it read but at the right border
    apart = crops_resize(longer, boxes, 6, flip_VB=torch.tensor([[True, False], [False, False], [True, True]]))
    inside = boxes[..., 3] < 15
    assert torch.allclose(together[inside], apart[inside], atol=1e-7)
    turned = crops_resize(images.mT, boxes[..., [1, 0, 3, 2]], 6)
    assert torch.allclose(crops_resize(images, boxes, 6), turned.mT, atol=1e-6)


@pytest.mark.parametrize("size", [(20, 15), (11, 7), (40, 30), (93, 41), (20, 41)])
def test_whole_image_agrees_with_antialiased_interpolation(size):
    images = noise(2, 2, 40, 30)
    expected = functional.interpolate(images, size, mode="bilinear", antialias=True)
    torch.testing.assert_close(crop_resize(images, whole(images), size), expected, atol=2e-6, rtol=0)


def test_halving_is_the_triangle_over_four_pixels():
    images = noise(1, 1, 16, 16)
    weights = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    inner = functional.conv2d(images[:, :, 1:-1, 1:-1], torch.outer(weights, weights)[None, None], stride=2)
    out = crop_resize(images, whole(images), 8)
    torch.testing.assert_close(out[:, :, 1:-1, 1:-1], inner, atol=1e-6, rtol=0)


def test_without_antialias_halving_is_the_mean_of_two_by_two_and_quartering_aliases():
    images = noise(1, 1, 16, 16)
    halved = crop_resize(images, whole(images), 8, antialias=False)
    torch.testing.assert_close(halved, functional.avg_pool2d(images, 2), atol=1e-6, rtol=0)
    stripes = torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(16).expand(1, 1, 64, 64)
    aliased = crop_resize(stripes, whole(stripes), 16, antialias=False)
    smooth = crop_resize(stripes, whole(stripes), 16)
    assert aliased.mean() < 0.01
    assert abs(smooth.mean() - 0.5) < 0.1


def test_any_box_agrees_with_a_filter_written_out_per_pixel():
    images = noise(3, 1, 19, 27).double().float()
    boxes = torch.tensor([[1.3, 2.7, 17.9, 25.1], [0.0, 0.0, 6.5, 4.5], [3.2, 0.4, 18.9, 9.9]])
    out = crop_resize(images, boxes, (7, 9))
    for index in range(3):
        expected = triangle_by_hand(images[index, 0].numpy(), boxes[index].tolist(), (7, 9))
        np.testing.assert_allclose(out[index, 0].numpy(), expected, atol=2e-6)


def test_ramps_give_the_position_of_every_output_pixel():
    rows, cols = torch.meshgrid(torch.arange(64.0) + 0.5, torch.arange(48.0) + 0.5, indexing="ij")
    images = torch.stack([rows, cols])[None]
    top, left, bottom, right = 10.25, 8.5, 41.75, 36.1
    # Interpolation reproduces a ramp exactly; a widened triangle sampled at pixels does so nearly.
    for (height, width), tolerance in (((35, 42), 1e-4), ((9, 14), 0.05)):
        out = crop_resize(images, torch.tensor([[top, left, bottom, right]]), (height, width))[0]
        expected_rows = top + (torch.arange(height) + 0.5) * (bottom - top) / height
        expected_cols = left + (torch.arange(width) + 0.5) * (right - left) / width
        torch.testing.assert_close(out[0], expected_rows[:, None].expand(height, width), atol=tolerance, rtol=0)
        torch.testing.assert_close(out[1], expected_cols[None, :].expand(height, width), atol=tolerance, rtol=0)


def test_flip_mirrors_the_drawn_images_left_to_right():
    images = noise(3, 2, 20, 20)
    boxes = torch.tensor([[2.0, 3.0, 15.0, 18.0]]).expand(3, 4)
    plain = crop_resize(images, boxes, 8)
    flipped = crop_resize(images, boxes, 8, flip_B=torch.tensor([True, False, True]))
    torch.testing.assert_close(flipped[0], plain[0].flip(-1), atol=1e-6, rtol=0)
    assert torch.equal(flipped[1], plain[1])
    torch.testing.assert_close(flipped[2], plain[2].flip(-1), atol=1e-6, rtol=0)


def test_boxes_of_an_image_are_those_cut_one_by_one():
    images = noise(2, 3, 20, 30)
    boxes = torch.tensor([[[1, 2, 9, 12], [0, 0, 20, 30]], [[5.5, 3, 8, 22], [2, 9, 17, 11]], [[0, 0, 4, 4]] * 2])
    flips = torch.tensor([[True, False], [False, False], [False, True]])
    cut = crops_resize(images, boxes, (6, 10), flips)
    for views, box, flip in zip(cut, boxes, flips, strict=True):
        assert torch.allclose(views, crop_resize(images, box, (6, 10), flip), atol=1e-6)


def test_an_image_does_not_depend_on_its_batch_nor_on_mixed_precision():
    images = (noise(5, 1, 40, 40) * 255).to(torch.uint8)
    corner = noise(5, 2, seed=1) * 10
    boxes = torch.cat([corner, corner + 12 + noise(5, 2, seed=2) * 18], dim=1)
    together = crop_resize(images, boxes, 16)
    for index in range(5):
        alone = crop_resize(images[index : index + 1], boxes[index : index + 1], 16)
        torch.testing.assert_close(alone[0], together[index], atol=1e-6, rtol=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = crop_resize(images, boxes, 16)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, together)


def test_boxes_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="one row"):
        crop_resize(noise(2, 1, 8, 8), torch.tensor([[0.0, 0.0, 8.0, 8.0]]), 4)
