import pytest
import torch
import torch.nn.functional as F

from common.evaluation import SegmentationReport
from common.losses import LabelMapLoss
from common.losses.segmentation import DiceBCE


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 2, 6, 5, generator=generator)
    masks = torch.randint(0, 2, (3, 2, 6, 5), generator=generator).to(torch.uint8)
    masks[:, :, :2, :3] = 255
    return logits, masks


def test_equals_an_independent_implementation(case):
    logits, masks = case
    parts = DiceBCE(dice_weight=2.0, bce_weight=0.5)(logits, masks)
    dice, entropies = [], []
    for k in range(2):
        keep = masks[:, k] != 255
        p, y = torch.sigmoid(logits[:, k][keep]), (masks[:, k][keep] == 1).float()
        dice.append(1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1))
        entropies.append(F.binary_cross_entropy(p, y, reduction="none"))
    dice, entropy = torch.stack(dice).mean(), torch.cat(entropies).mean()
    assert torch.allclose(parts["dice_loss"], dice) and torch.allclose(parts["bce"], entropy)
    assert torch.allclose(parts["loss"], 2 * dice + 0.5 * entropy)


def test_a_loss_bears_no_score_s_name(case):
    losses = {*DiceBCE()(*case), *LabelMapLoss(dice_weight=1.0)(case[0], case[1][:, :1])}
    report = SegmentationReport(["a", "b"])
    report.update((case[0].sigmoid(), case[1]))
    assert not losses & report.compute().keys()


def test_ignored_pixels_give_no_gradient(case):
    logits, masks = case
    logits.requires_grad_()
    DiceBCE()(logits, masks)["loss"].backward()
    assert torch.all(logits.grad[masks == 255] == 0) and torch.all(logits.grad[masks != 255] != 0)


def test_perfect_empty_and_unannotated_are_zero():
    masks = torch.ones(1, 1, 4, 4)
    assert DiceBCE(bce_weight=0)(50 * masks, masks)["loss"] == 0
    assert DiceBCE()(-200 * masks, 0 * masks)["loss"] == pytest.approx(0, abs=1e-6)
    assert DiceBCE()(masks, 255 * masks)["loss"] == 0


def test_half_precision_logits_sum_in_single():
    logits = torch.full((4, 1, 300, 300), 2.0, dtype=torch.bfloat16)
    mask = torch.ones(4, 1, 300, 300)
    assert DiceBCE()(logits, mask)["loss"] == DiceBCE()(logits.float(), mask)["loss"]


def test_bad_settings_and_shapes_name_what_to_change(case):
    with pytest.raises(ValueError, match="smooth 0"):
        DiceBCE(smooth=0)
    with pytest.raises(ValueError, match="structures"):
        DiceBCE()(case[0], case[1][:, :1])
