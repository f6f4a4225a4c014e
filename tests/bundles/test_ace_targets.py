"""ACE's targets against positions on the image, token by token, and against sums known by hand."""

import math
from itertools import product

import pytest
import torch

from bundles.cxr_ace.scripts.targets import composition_targets, decomposition_targets, overlap_masks, overlap_mean

PAPER, SMALL = (32, 14), (18, 8)


def origins(*pairs):
    coarse, fine = zip(*pairs, strict=True)
    return torch.tensor(coarse), torch.tensor(fine)


def aligned(cells, tokens, count=40):
    """A spread of the origins the sampler can draw, corners included."""
    generator = torch.Generator().manual_seed(0)
    spare = cells - 2 * tokens
    coarse = torch.randint(0, spare + 1, (count, 2), generator=generator)
    steps = torch.randint(0, (cells - tokens) // 2 + 1, (count, 2), generator=generator)
    fine = torch.minimum(coarse % 2 + 2 * steps, (cells - tokens) // 2 * 2 - coarse % 2)
    return coarse, fine


def by_hand(coarse, fine, tokens, compose):
    """Dense targets of one image: every token is a square on the image, compared with every other."""
    coarse_spots = {(r, c): (coarse[0] + 2 * r + 1, coarse[1] + 2 * c + 1) for r, c in product(range(tokens), repeat=2)}
    fine_spots = {(r, c): (fine[0] + r + 0.5, fine[1] + c + 0.5) for r, c in product(range(tokens), repeat=2)}
    if compose:
        step, radius, rows = 2, 1, coarse_spots
        half = range(tokens // 2)
        columns = {(r, c): (fine[0] + 2 * r + 1, fine[1] + 2 * c + 1) for r, c in product(half, repeat=2)}
    else:
        step, radius, rows = 1, 2, fine_spots
        double = range(2 * tokens)
        columns = {(r, c): (coarse[0] + r + 0.5, coarse[1] + c + 0.5) for r, c in product(double, repeat=2)}
    side = math.isqrt(len(columns))
    target = torch.zeros(tokens**2, len(columns))
    for (r, c), spot in rows.items():
        if spot not in columns.values():
            continue
        for (i, j), other in columns.items():
            dy, dx = (other[0] - spot[0]) / step, (other[1] - spot[1]) / step
            if max(abs(dy), abs(dx)) <= radius:
                target[r * tokens + c, i * side + j] = math.exp(-(dy**2 + dx**2) / 2)
    return target


@pytest.mark.parametrize(("cells", "tokens"), [PAPER, SMALL])
def test_targets_agree_with_positions_on_the_image(cells, tokens):
    coarse, fine = aligned(cells, tokens, count=5)
    composition = composition_targets(coarse, fine, tokens)
    decomposition = decomposition_targets(coarse, fine, tokens)
    assert composition.shape == (5, tokens**2, (tokens // 2) ** 2)
    assert decomposition.shape == (5, tokens**2, (2 * tokens) ** 2)
    for index in range(5):
        spots = coarse[index].tolist(), fine[index].tolist(), tokens
        torch.testing.assert_close(composition[index], by_hand(*spots, compose=True))
        torch.testing.assert_close(decomposition[index], by_hand(*spots, compose=False))


@pytest.mark.parametrize(("cells", "tokens"), [PAPER, SMALL])
def test_masks_mark_the_cells_that_both_crops_cover(cells, tokens):
    coarse, fine = aligned(cells, tokens)
    fine_mask, coarse_mask = overlap_masks(coarse, fine, tokens)
    assert fine_mask.dtype == coarse_mask.dtype == torch.bool
    for index in range(len(coarse)):
        image_fine, image_coarse = torch.zeros(cells, cells), torch.zeros(cells, cells)
        (top, left), (g_top, g_left) = fine[index].tolist(), coarse[index].tolist()
        image_fine[top : top + tokens, left : left + tokens] = 1
        image_coarse[g_top : g_top + 2 * tokens, g_left : g_left + 2 * tokens] = 1
        both = image_fine * image_coarse
        assert torch.equal(fine_mask[index].float(), both[top : top + tokens, left : left + tokens])
        seen = both[g_top : g_top + 2 * tokens, g_left : g_left + 2 * tokens]
        blocks = torch.nn.functional.avg_pool2d(seen[None], 2)[0]
        assert set(blocks.unique().tolist()) <= {0.0, 1.0}  # all of a coarse token or none of it
        assert torch.equal(coarse_mask[index].float(), blocks)


@pytest.mark.parametrize(("cells", "tokens"), [PAPER, SMALL])
def test_overlap_has_four_fine_tokens_per_coarse_token_and_marks_the_rows_of_targets(cells, tokens):
    coarse, fine = aligned(cells, tokens)
    fine_mask, coarse_mask = overlap_masks(coarse, fine, tokens)
    assert torch.equal(fine_mask.sum((1, 2)), 4 * coarse_mask.sum((1, 2)))
    assert torch.equal(composition_targets(coarse, fine, tokens).sum(2) > 0, coarse_mask.flatten(1))
    assert torch.equal(decomposition_targets(coarse, fine, tokens).sum(2) > 0, fine_mask.flatten(1))


def test_kernels_are_not_normalised_and_are_cut_at_the_border():
    coarse, fine = origins(((0, 0), (4, 6)))
    composition, decomposition = composition_targets(coarse, fine, 14), decomposition_targets(coarse, fine, 14)
    assert composition.max() == decomposition.max() == 1
    edge, diagonal = math.exp(-0.5), math.exp(-1)
    # Sums stated with the method: 4.898 and 6.169.
    assert composition.sum(2).max().item() == pytest.approx(1 + 4 * edge + 4 * diagonal, rel=1e-5)
    assert composition.sum(2).max().item() == pytest.approx(4.898, abs=1e-3)
    assert decomposition.sum(2).max().item() == pytest.approx(6.169, abs=1e-3)
    corner = composition[0, 2 * 14 + 3]  # coarse token (2, 3) starts at cell (4, 6), the fine crop's corner
    assert corner.sum().item() == pytest.approx(1 + 2 * edge + diagonal, rel=1e-5)
    assert (corner.argmax().item(), int((corner > 0).sum())) == (0, 4)


def test_rows_and_columns_are_not_exchanged():
    coarse, fine = origins(((0, 1), (6, 3)))
    fine_mask, coarse_mask = overlap_masks(coarse, fine, 8)
    assert coarse_mask[0].any(1).tolist() == [False, False, False, True, True, True, True, False]
    assert coarse_mask[0].any(0).tolist() == [False, True, True, True, True, False, False, False]
    assert fine_mask.all()
    swapped = (coarse.flip(1), fine.flip(1))
    for make, side in ((composition_targets, 4), (decomposition_targets, 16)):
        target = make(coarse, fine, 8).view(8, 8, side, side)
        assert torch.equal(make(*swapped, 8).view(8, 8, side, side), target.transpose(0, 1).transpose(2, 3))
        assert not torch.equal(make(*swapped, 8).view(8, 8, side, side), target)


def test_images_of_a_batch_are_independent():
    coarse, fine = aligned(*SMALL, count=4)
    for make in (composition_targets, decomposition_targets):
        together = make(coarse, fine, 8)
        for index in range(4):
            assert torch.equal(make(coarse[index : index + 1], fine[index : index + 1], 8)[0], together[index])


def test_origins_of_unequal_parity_are_refused():
    with pytest.raises(ValueError, match="parity"):
        composition_targets(*origins(((0, 0), (0, 1))), 8)


def test_overlap_mean_is_the_mean_of_the_marked_tokens_and_gives_the_others_no_gradient():
    tokens = torch.randn(2, 3, 4, 4, requires_grad=True)
    mask = torch.zeros(2, 4, 4, dtype=torch.bool)
    mask[0, 1:3, 2] = True
    mask[1, :, 0] = True
    mean = overlap_mean(tokens, mask)
    torch.testing.assert_close(mean[0], (tokens[0, :, 1, 2] + tokens[0, :, 2, 2]) / 2)
    torch.testing.assert_close(mean[1], tokens[1, :, :, 0].mean(1))
    mean.sum().backward()
    assert torch.equal(tokens.grad.abs().sum(1) > 0, mask)
