import pytest
import torch
import torch.nn.functional as F

from common.losses.classification import LabelLoss


def test_unknown_labels_are_left_out():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[1, 0, float("nan")], [0, float("nan"), 1], [1, 1, 0], [0, 0, 0]])
    known = ~labels.isnan()
    loss = LabelLoss()(logits, labels)
    assert torch.allclose(loss, F.binary_cross_entropy(torch.sigmoid(logits[known]), labels[known]))
    loss.backward()
    assert torch.all(logits.grad[~known] == 0) and torch.all(logits.grad[known] != 0)


def test_exclusive_is_cross_entropy_of_the_class():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([2, 0, 1, 1])
    labels = F.one_hot(classes, 3).float()
    labels[3] = float("nan")
    assert torch.allclose(LabelLoss(exclusive=True)(logits, labels), F.cross_entropy(logits[:3], classes[:3]))


@pytest.mark.parametrize("exclusive", [False, True])
def test_nothing_known_is_zero_with_a_gradient_of_zero(exclusive):
    logits = torch.randn(2, 3).requires_grad_()
    loss = LabelLoss(exclusive)(logits, torch.full((2, 3), float("nan")))
    loss.backward()
    assert loss == 0 and torch.all(logits.grad == 0)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="`findings`"):
        LabelLoss()(torch.zeros(2, 3), torch.zeros(2, 4))


@pytest.mark.parametrize("exclusive", [False, True])
def test_weights_multiply_and_do_not_divide(exclusive):
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    labels = F.one_hot(torch.tensor([2, 0, 1, 1]), 3).float()
    weights = torch.tensor([1.0, 5.0, 0.5])
    if exclusive:
        expected = -(weights * labels * logits.softmax(1).log()).sum() / 4
    else:
        expected = (weights * F.binary_cross_entropy(logits.sigmoid(), labels, reduction="none")).sum() / 12
    loss = LabelLoss(exclusive, weights=[1, 5, 0.5])
    assert torch.allclose(loss(logits, labels), expected) and not loss.state_dict()


def test_gradients_in_double_precision():
    labels = torch.tensor([[1, 0, float("nan")], [0, float("nan"), 1]], dtype=torch.float64)
    logits = torch.randn(2, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: LabelLoss(weights=[1, 2, 3])(x, labels), logits)


def test_bad_weights_are_named():
    with pytest.raises(ValueError, match="weights are"):
        LabelLoss(weights=[1, -1])
    with pytest.raises(ValueError, match="2 weights for 3 labels"):
        LabelLoss(weights=[1, 1])(torch.zeros(2, 3), torch.zeros(2, 3))
