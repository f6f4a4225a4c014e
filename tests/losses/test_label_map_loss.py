import pytest
import torch
import torch.nn.functional as F

from common.losses.label_map import LabelMapLoss


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 3, 5, 4, generator=generator, dtype=torch.float64)
    masks = torch.randint(0, 4, (3, 1, 3, 5, 4), generator=generator).to(torch.uint8)
    masks[0, :, :, :2] = 255  # part of a volume
    masks[2] = 255  # a whole one
    return logits, masks


def test_cross_entropy_is_the_mean_over_annotated_voxels(case):
    logits, masks = case
    keep = masks[:, 0] != 255
    p = logits.softmax(1).movedim(1, -1)[keep]
    expected = -p[torch.arange(len(p)), masks[:, 0][keep].long()].log().mean()
    parts = LabelMapLoss()(logits, masks)
    assert torch.allclose(parts["loss"], expected) and set(parts) == {"loss", "cross_entropy", "with_mask"}


def test_dice_is_over_annotated_voxels_of_the_batch(case):
    logits, masks = case
    keep = (masks[:, 0] != 255).flatten()
    p = logits.softmax(1).movedim(1, 0).flatten(1)[:, keep]
    y = F.one_hot(masks.flatten()[keep].long(), 4).T.double()
    dice = [1 - (2 * (p[s] * y[s]).sum() + 1e-5) / (p[s].sum() + y[s].sum() + 1e-5) for s in (1, 2, 3)]
    parts = LabelMapLoss(cross_entropy_weight=0.5, dice_weight=2)(logits, masks)
    assert torch.allclose(parts["dice_loss"], sum(dice) / 3)
    assert torch.allclose(parts["loss"], 0.5 * parts["cross_entropy"] + 2 * parts["dice_loss"])
    assert "cross_entropy" not in LabelMapLoss(cross_entropy_weight=0, dice_weight=1)(logits, masks)


def test_volumes_with_a_mask_are_counted(case):
    assert LabelMapLoss()(*case)["with_mask"].item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("dice_weight", [0, 1])
def test_what_is_not_annotated_gives_no_gradient(case, dice_weight):
    logits, masks = case
    logits.requires_grad_()
    LabelMapLoss(dice_weight=dice_weight)(logits, masks)["loss"].backward()
    keep = (masks != 255).expand_as(logits)
    assert torch.all(logits.grad[~keep] == 0) and torch.all(logits.grad[keep] != 0)


@pytest.mark.parametrize("dice_weight", [0, 1])
def test_no_mask_at_all_is_zero_with_a_gradient_of_zero(case, dice_weight):
    logits = case[0].requires_grad_()
    parts = LabelMapLoss(dice_weight=dice_weight)(logits, torch.full_like(case[1], 255))
    parts["loss"].backward()
    assert parts["loss"] == 0 and parts["with_mask"] == 0 and torch.all(logits.grad == 0)


def test_a_volume_without_mask_changes_nothing(case):
    logits, masks = case
    for loss in (LabelMapLoss(), LabelMapLoss(0, 1)):
        assert torch.allclose(loss(logits, masks)["loss"], loss(logits[:2], masks[:2])["loss"])


def test_gradients_in_double_precision(case):
    logits, masks = case[0][:, :, :1, :2, :2].requires_grad_(), case[1][:, :, :1, :2, :2].clone()
    masks[0, 0, 0, 0, 0] = 2
    assert torch.autograd.gradcheck(lambda x: LabelMapLoss(dice_weight=1)(x, masks)["loss"], logits)


def test_extreme_and_half_precision_logits_are_finite():
    masks = torch.zeros(1, 1, 40, 40, 40, dtype=torch.uint8)
    masks[..., 0] = 1
    for dtype in (torch.float32, torch.bfloat16):
        logits = torch.full((1, 3, 40, 40, 40), 80.0, dtype=dtype)
        logits[:, 1] = -80
        logits.requires_grad_()
        loss = LabelMapLoss(dice_weight=1)(logits, masks)["loss"]
        loss.backward()
        assert loss.isfinite() and logits.grad.isfinite().all()
    half = torch.full((1, 3, 40, 40, 40), 2.0, dtype=torch.bfloat16)
    assert LabelMapLoss()(half, masks)["loss"] == LabelMapLoss()(half.float(), masks)["loss"]


def test_bad_settings_and_masks_name_what_to_change(case):
    logits, masks = case
    with pytest.raises(ValueError, match="segmentation: null"):
        LabelMapLoss(0, 0)
    with pytest.raises(ValueError, match=r"expected \(3, 1, 3, 5, 4\)"):
        LabelMapLoss()(logits, masks[:, 0])
    masks[1, 0, 0, 0, 0] = 9
    with pytest.raises(ValueError, match=r"Masks hold \[9\].*`structures`"):
        LabelMapLoss()(logits, masks)
