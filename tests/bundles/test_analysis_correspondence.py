import numpy as np
import pytest
import torch
from analysis_parts import Stub, images_of, noise

from bundles.embedding_analysis.scripts.correspondence import Correspondence
from bundles.embedding_analysis.scripts.dense import dense_tokens, token_step, tokens_one_by_one
from bundles.embedding_analysis.scripts.matching import distance, find
from bundles.embedding_analysis.scripts.moved_view import MovedView
from common.networks import build_encoder


def blocks(images):
    """Tokens that are the pixels of a block of 4 x 4, centred and of unit length: no two of noise are alike."""
    vectors = torch.nn.functional.unfold(images, 4, stride=4)
    return (vectors - vectors.mean(1, keepdim=True)).unflatten(2, (images.shape[2] // 4, -1))


@pytest.mark.parametrize(("step", "crop"), [(2, 8), (2, 12), (4, 20)])
def test_a_dense_token_is_the_block_about_its_place(step, crop):
    image = torch.rand(1, 24, 24)
    found = dense_tokens(Stub(blocks), image, step, crop)
    assert found.shape == (16, 24 // step, 24 // step)
    padded = torch.nn.functional.pad(image, (4, 4, 4, 4))
    for row, col in ((0, 0), (1, 3), (24 // step - 1, 2)):
        top, left = (4 + step * place + step // 2 - 2 for place in (row, col))
        block = padded[0, top : top + 4, left : left + 4].flatten()
        assert torch.allclose(found[:, row, col], block - block.mean(), atol=1e-6)


@pytest.fixture(scope="module")
def small_resnet():
    """One block a stage: a token sees 195 pixels, 97 to either side of its first one: 31 to 225 of a crop of 320."""
    torch.manual_seed(0)
    return build_encoder("resnet18", 1, 320, options={"layers": [1, 1, 1, 1]}).eval()


def test_whole_images_give_what_crops_give_where_a_token_sees_no_further(small_resnet):
    image = torch.rand(1, 64, 64)
    dense = dense_tokens(small_resnet, image, 16, crop=320)
    places = [0, 3, 5, 9, 15]
    crops = tokens_one_by_one(small_resnet, image, 16, 320, batch_size=2, places=places)
    assert torch.allclose(dense.flatten(1)[:, places], crops, rtol=1e-4, atol=1e-4 * crops.abs().max())
    assert not torch.allclose(crops[:, :1], crops[:, 1:], rtol=1e-2)


def test_they_differ_where_the_crop_is_smaller_than_what_a_token_sees(small_resnet):
    image = torch.rand(1, 64, 64)
    dense = dense_tokens(small_resnet, image, 32, crop=64)
    crops = tokens_one_by_one(small_resnet, image, 32, 64, batch_size=4)
    assert dense.shape == crops.shape == (512, 2, 2)
    assert not torch.allclose(dense, crops, rtol=1e-2)


def test_a_stride_that_does_not_fit_is_refused_and_a_coarse_one_is_the_encoders():
    assert token_step(Stub(blocks, 32), 8) == 8 and token_step(Stub(blocks, 4), 8) == 4
    for stride in (3, 1):
        with pytest.raises(ValueError, match="stride"):
            token_step(Stub(blocks), stride)
    with pytest.raises(ValueError, match=r"22 pixels.*image_size"):
        dense_tokens(Stub(blocks), torch.rand(1, 22, 22), 4, 8)


def test_points_of_a_shifted_copy_are_found_where_they_went():
    image = torch.rand(1, 32, 32)
    shifted = image.roll((4, -8), (1, 2))
    tokens = [dense_tokens(Stub(blocks), one, 2, 8) for one in (image, shifted)]
    points = torch.tensor([[10.5, 20.5], [19.0, 12.0]]) / 32
    found = find(points, *tokens) * 32
    assert found.tolist() == [[15.0, 13.0], [24.0 - 1 + 0, 4.0 + 1]]


def test_errors_are_pixels_of_the_image_as_analysed():
    """FIRE: both images at 1024 pixels, the mean of the points' distances."""
    found, truth = (
        torch.tensor([[0.5, 0.5], [0.25, 0.5]]),
        torch.tensor([[0.5 + 3 / 1024, 0.5 - 4 / 1024], [0.25, 0.5]]),
    )
    assert distance(found, truth, 1024) == pytest.approx(2.5, rel=1e-5)


@pytest.mark.parametrize("angle", [0.0, 10.0, -35.0])
def test_a_view_shows_a_point_where_it_says(angle):
    """A bright dot is drawn, and found again as the brightest part of the view."""
    view = MovedView(0.1, 0.05, 0.8, angle)
    for row, col in ((40, 60), (70, 35), (50, 50)):
        image = torch.zeros(1, 100, 100)
        image[0, row - 2 : row + 3, col - 2 : col + 3] = 1
        place = view.place(torch.tensor([[row + 0.5, col + 0.5]], dtype=torch.float64) / 100)[0]
        shown = view.render(image)[0]
        axis = torch.arange(100) + 0.5
        middle = torch.stack([(shown.sum(1) * axis).sum(), (shown.sum(0) * axis).sum()]) / shown.sum()
        assert torch.allclose(middle.double(), place * 100, atol=0.3)
    corner = torch.tensor([[0.11, 0.06], [0.05, 0.5]], dtype=torch.float64)  # turned away; beside the crop
    assert view.place(corner).isnan().all(1).tolist() == [angle != 0, True]
    assert view.render(torch.ones(1, 50, 50))[0, 0, 0].round() == (angle == 0)


def test_kinds_of_pairs():
    """Three images of two patients, all alike: every point is found, while the same place is wrong by the shift."""
    image = noise(1, 32)[0]
    shifted = np.roll(image, (4, -8), (0, 1))
    here, there = {"p": (10.5 / 32, 20.5 / 32)}, {"p": (14.5 / 32, 12.5 / 32)}
    images = images_of([image, shifted, image], [here, there, here], patients=["a", "a", "b"])
    numbers, shown = Correspondence(2, 8, 8, pairs=5, view_side=1.0, view_angle=0.0)(Stub(blocks), images)
    for kind, error, same in (("image", 0.5, 80), ("patient", 0.5, 80), ("view", 0.5, 0)):
        assert numbers[f"error_{kind}"] == pytest.approx(error * 2**0.5)
        assert numbers[f"same_place_{kind}"] == pytest.approx(same**0.5)
    assert [numbers[f"pairs_{kind}"] for kind in ("view", "image", "patient")] == [3, 1, 1]
    assert shown["image"].images[0].shape == (1, 32, 32)
    alone, _ = Correspondence(2, 8, 8, one_by_one=True, view_side=1.0, view_angle=0.0)(Stub(blocks), images)
    assert alone == numbers


def test_pairs_are_of_one_patient_or_of_two_and_spread():
    images = images_of(noise(7, 4), patients=list("aabbcca"))
    assert images.pairs_of_images(9) == [(0, 1), (1, 6), (2, 3), (4, 5)]
    assert images.pairs_of_patients(9) == [(1, 2), (3, 4), (5, 6)]
    assert images.pairs_of_patients(2) == [(1, 2), (5, 6)]
    assert images_of(noise(1, 4)).pairs_of_images(3) == []
    of_fire = images_of(noise(4, 4), patients=list("aaaa"), studies=["A01", "A01", "S02", "S02"])
    assert of_fire.pairs_of_images(9) == [(0, 1), (2, 3)]
