import pytest
import torch
from analysis_parts import Stub, images_of, mean_grey, noise, pooled

from bundles.embedding_analysis.scripts.composition import Composition, cells
from bundles.embedding_analysis.scripts.finding_parent import FindingParent, choose, nested_parents, shares
from common.files import DatasetError


def test_boxes_are_nested_and_upright_and_their_halves_are_squares():
    parents, halves = nested_parents(200, seed=3)
    extent = parents[..., 2:] - parents[..., :2]
    assert torch.allclose(
        extent, torch.tensor([[0.6, 0.3], [0.4, 0.2], [0.2, 0.1]], dtype=torch.float64).expand(200, 3, 2)
    )
    assert parents.min() >= 0 and parents.max() <= 1
    assert parents[:, 0, 0].std() > 0.05 and parents[:, 0, 1].std() > 0.1  # anywhere, not in the middle
    middles = parents.unflatten(2, (2, 2)).mean(2)
    assert torch.allclose(middles, middles[:, :1].expand(-1, 3, 2))
    sides = halves[..., 2:] - halves[..., :2]
    assert torch.allclose(sides[..., 0], sides[..., 1])
    assert torch.allclose(halves[:, :, 0, :2], parents[..., :2]) and torch.allclose(
        halves[:, :, 1, 2:], parents[..., 2:]
    )
    assert torch.allclose(halves[:, :, 0, 2], halves[:, :, 1, 0])


def test_who_knows_the_answer_finds_every_parent_and_who_guesses_one_in_twelve():
    known = torch.eye(12).reshape(4, 3, 12).repeat(50, 1, 1)
    assert choose(known, known[:, :, None].repeat(1, 1, 2, 1)).right.all()
    torch.manual_seed(0)
    guess = choose(torch.randn(4000, 3, 8), torch.randn(4000, 3, 2, 8)).right.double().mean().item()
    assert guess == pytest.approx(1 / 12, abs=4 * (1 / 12 * 11 / 12 / 24000) ** 0.5)


def test_candidates_are_the_parents_of_the_four_images_and_ties_go_to_the_first():
    """Children of the second batch lie nearest to parents of the first, which they must not see."""
    parents = torch.zeros(8, 3, 4)
    parents[:4, :, 0], parents[4:, :, 1] = 1, 1
    choice = choose(parents, parents[:, :, None].roll(4, 0).expand(8, 3, 2, 4))
    assert choice.every.shape == (2, 24, 12) and (choice.every == 0).all()
    assert choice.right.nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]  # of the first parent


def test_an_encoder_that_sees_which_image_it_is_finds_the_image_alone():
    """Grey images: all parents of an image are alike, and the largest comes first."""
    images = images_of([[[50 * (1 + number)] * 40] * 40 for number in range(4)])
    numbers, choice = FindingParent(8, 16)(Stub(mean_grey), images)
    assert numbers["macc_large"] == 1 and numbers["macc_medium"] == numbers["macc_small"] == 0
    assert numbers["macc"] == pytest.approx(1 / 3) and numbers["children"] == 24
    assert torch.allclose(choice.own, torch.ones(1, 24, dtype=torch.float64))


def test_the_interval_of_macc_is_that_of_patients():
    """All children of a patient choose alike, right for 25 of 50 patients: a binomial share over patients."""
    right = torch.tensor([float(patient % 2) for patient in range(50)]).repeat_interleave(2 * 6).reshape(25, 24) > 0
    found = shares(right, [str(image // 2) for image in range(100)])
    for name in ("", "_large", "_medium", "_small"):
        width = found[f"high_macc{name}"] - found[f"low_macc{name}"]
        assert found[f"macc{name}"] == 0.5 and width / 2 == pytest.approx(1.96 * (0.25 / 50) ** 0.5, rel=0.1)
    one = shares(right[:1], ["a"] * 4)
    assert one["low_macc"] != one["low_macc"]  # nan: one patient tells nothing of others


def test_too_few_images_are_refused_and_a_rest_is_left_out():
    with pytest.raises(DatasetError, match=r"3 images.*the 4.*image_limit"):
        FindingParent(8, 16)(Stub(mean_grey), images_of(noise(3, 20)))
    assert FindingParent(8, 16)(Stub(mean_grey), images_of(noise(7, 20))).numbers["children"] == 24


def test_composition_of_what_averages_is_perfect_on_constant_images_and_tells_images_apart():
    images = images_of([[[grey] * 40] * 40 for grey in (0, 255)])
    numbers, _ = Composition(8, 16)(Stub(mean_grey), images)
    for parts in (2, 3, 4):
        assert numbers[f"parts_{parts}"] == pytest.approx(1)
        assert numbers[f"other_{parts}"] == pytest.approx(0.5**0.5)  # (0, 1) with (1, 1)
        assert numbers[f"difference_{parts}"] == pytest.approx(1 - 0.5**0.5)


def test_composition_of_a_picture_is_the_cosine_with_the_mean_of_its_quarters():
    """The whole patch of an 8 x 8 image as 2 x 2 greys, by hand."""
    pixels = noise(1, 8)
    numbers, _ = Composition(8, 4, sides=(1.0, 1.0), per_image=1)(Stub(pooled(2)), images_of(pixels))
    image = torch.from_numpy(pixels[0]).double()
    whole = image.reshape(2, 4, 2, 4).mean((1, 3)).flatten()
    # A quarter's 4 x 4 pixels are enlarged to 8 x 8 by a triangle filter that repeats the border.
    enlarged = [
        torch.nn.functional.interpolate(image[None, None, r : r + 4, c : c + 4], size=8, mode="bilinear")
        for r in (0, 4)
        for c in (0, 4)
    ]
    parts = torch.stack([part[0, 0].reshape(2, 4, 2, 4).mean((1, 3)).flatten() for part in enlarged]).mean(0)
    expected = torch.cosine_similarity(whole, parts, dim=0).item()
    assert numbers["parts_4"] == pytest.approx(expected, abs=2e-3)


def test_cells_cover_a_box_row_by_row():
    box = torch.tensor([[0.0, 0.3, 0.6, 0.9]])
    assert torch.allclose(cells(box, 3, 1)[0, :, 0], torch.tensor([0.0, 0.2, 0.4]))
    assert torch.allclose(cells(box, 2, 2)[0, 1], torch.tensor([0.0, 0.6, 0.3, 0.9]))
    assert torch.allclose(cells(box, 2, 1)[0, 1], torch.tensor([0.3, 0.3, 0.6, 0.9]))
