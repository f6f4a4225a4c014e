import pytest
import torch

from common.losses import InjuryLoss, LabelLoss, LabelMapLoss, MultitaskLoss


@pytest.fixture
def case():
    torch.manual_seed(0)
    outputs = {
        "logits": torch.randn(2, 3).requires_grad_(),
        "segmentation": torch.randn(2, 4, 2, 3, 3).requires_grad_(),
    }
    targets = {"label": torch.tensor([[1.0, 0, 1], [0, 0, 1]]), "mask": torch.randint(0, 4, (2, 1, 2, 3, 3))}
    return outputs, targets


def test_the_sum_and_its_parts(case):
    outputs, targets = case
    losses = MultitaskLoss(LabelLoss(), LabelMapLoss(dice_weight=1), weight=0.5)(outputs, targets)
    diagnosis = LabelLoss()(outputs["logits"], targets["label"])
    segmentation = LabelMapLoss(dice_weight=1)(outputs["segmentation"], targets["mask"])
    assert torch.equal(losses["diagnosis"], diagnosis) and torch.equal(losses["segmentation"], segmentation["loss"])
    assert torch.allclose(losses["loss"], diagnosis + 0.5 * segmentation["loss"])
    assert set(losses) == {"loss", "diagnosis", "segmentation", "cross_entropy", "dice_loss", "with_mask"}


def test_without_segmentation_masks_are_not_looked_at(case):
    outputs, targets = case
    losses = MultitaskLoss(LabelLoss())(outputs["logits"], {"label": targets["label"]})
    assert set(losses) == {"loss", "diagnosis"} and torch.equal(losses["loss"], losses["diagnosis"])


def test_each_task_has_its_own_outputs(case):
    outputs, targets = case
    losses = MultitaskLoss(LabelLoss(), LabelMapLoss())(outputs, targets)
    for name, other in (("diagnosis", "segmentation"), ("segmentation", "logits")):
        gradient = torch.autograd.grad(losses[name], outputs[other], retain_graph=True, allow_unused=True)[0]
        assert gradient is None


def test_unlabelled_masks_leave_the_diagnosis_as_it_is(case):
    outputs, targets = case
    targets["mask"] = torch.full_like(targets["mask"], 255)
    MultitaskLoss(LabelLoss(), LabelMapLoss())(outputs, targets)["loss"].backward()
    expected = torch.autograd.grad(LabelLoss()(outputs["logits"], targets["label"]), outputs["logits"])[0]
    assert torch.equal(outputs["logits"].grad, expected) and torch.all(outputs["segmentation"].grad == 0)


def test_named_losses_of_the_diagnosis_are_kept():
    loss = MultitaskLoss(InjuryLoss({"bowel": 2}, {"liver": [1, 2, 4]}))
    losses = loss(torch.zeros(1, 4), {"label": torch.tensor([[0.0, 1, 0, 0]])})
    assert set(losses) == {"loss", "diagnosis", "binary", "graded", "any_injury"}


def test_network_and_loss_must_agree(case):
    outputs, targets = case
    with pytest.raises(ValueError, match="segment: false"):
        MultitaskLoss(LabelLoss())(outputs, targets)
    with pytest.raises(ValueError, match="segment: true"):
        MultitaskLoss(LabelLoss(), LabelMapLoss())(outputs["logits"], targets)
    with pytest.raises(ValueError, match="above 0"):
        MultitaskLoss(LabelLoss(), LabelMapLoss(), weight=0)
