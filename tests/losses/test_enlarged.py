"""Cross-entropy of enlarged logits against PyTorch's enlargement and cross-entropy of all voxels."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import profile

from common.losses import LabelMapLoss, enlarged
from common.losses.enlarged import enlarged_cross_entropy

GRID, SPACE = (3, 2, 4), (9, 10, 16)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, *GRID, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 5, (2, *SPACE), generator=generator).to(torch.uint8)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = 255
    labels[0, :4] = 255  # whole slices
    return logits, labels


def plain(logits, labels):
    voxels = F.interpolate(logits, labels.shape[1:], mode="trilinear", align_corners=False)
    return F.cross_entropy(voxels, labels.long(), ignore_index=255, reduction="sum")


def with_gradient(function, logits, labels):
    logits = logits.detach().requires_grad_()
    loss = function(logits, labels)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


def lean(logits, labels):
    return enlarged_cross_entropy(logits, labels, 255)


@pytest.mark.parametrize("values", [1, 5 * 160 * 4, 2**20])  # a slice at a time; 4, which do not divide 18; all
@pytest.mark.parametrize(("dtype", "precision"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_loss_and_gradient_are_those_of_all_voxels(case, dtype, precision, values, monkeypatch):
    monkeypatch.setattr(enlarged, "CPU_VALUES", values)
    logits, labels = case[0].to(dtype), case[1]
    for found, expected in zip(with_gradient(lean, logits, labels), with_gradient(plain, logits, labels), strict=True):
        torch.testing.assert_close(found, expected, rtol=precision, atol=precision)


def test_first_and_second_derivatives(case):
    logits, labels = case[0][:1, :3, :2, :, :2].requires_grad_(), case[1][:1, 3:7, :4, :4].clamp(max=2)
    labels[0, 0, 0] = 255
    assert torch.autograd.gradcheck(lambda x: lean(x, labels), logits)
    assert torch.autograd.gradgradcheck(lambda x: lean(x, labels), logits)


def test_bfloat16_logits_are_summed_in_single_precision(case):
    logits, labels = case[0].bfloat16(), case[1]
    expected = with_gradient(plain, logits.float(), labels)
    logits.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = lean(logits, labels)
    gradient = torch.autograd.grad(loss, logits)[0]
    assert loss.dtype == torch.float32 and loss.item() == pytest.approx(expected[0].item(), rel=1e-6)
    torch.testing.assert_close(gradient, expected[1].bfloat16(), rtol=0.01, atol=1e-3)


def test_logits_of_all_voxels_are_never_in_memory(monkeypatch):
    monkeypatch.setattr(enlarged, "CPU_VALUES", 2**14)
    logits, labels = torch.zeros(1, 7, 4, 4, 4, requires_grad=True), torch.zeros(1, 32, 64, 64, dtype=torch.uint8)
    whole = 7 * labels.numel() * 4  # bytes

    def most(function):
        with profile(profile_memory=True) as seen:
            function(logits, labels).backward()
        held = itertools.accumulate(
            event.nbytes() for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"
        )
        return max(held)

    assert most(plain) > 2 * whole
    assert most(lean) < whole / 4


@pytest.mark.parametrize("dice_weight", [0.0, 1.0])
def test_the_loss_of_a_label_map_takes_either_grid(case, dice_weight):
    logits, masks = case[0], case[1].unsqueeze(1)
    voxels = F.interpolate(logits, SPACE, mode="trilinear", align_corners=False)
    loss = LabelMapLoss(dice_weight=dice_weight)
    coarse, fine = loss(logits, masks), loss(voxels, masks)
    assert set(coarse) == set(fine)
    for name, value in coarse.items():
        torch.testing.assert_close(value, fine[name])


def test_cells_that_are_no_whole_voxels_are_refused(case):
    with pytest.raises(ValueError, match=r"expected \(2, 1, 3, 2, 4\) or multiples"):
        LabelMapLoss()(case[0], case[1].unsqueeze(1)[:, :, :, :, :-1])
