"""The distance from an expert against its closed form."""

import pytest
import torch

from common.losses import ExpertLoss

GENERATOR = torch.Generator().manual_seed(0)
PREDICTED = torch.randn(5, 7, generator=GENERATOR)
TARGET = torch.randn(5, 7, generator=GENERATOR) * 3 + 1


def cosine(a, b):
    return (a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt())


def test_it_is_two_minus_two_cosines_over_the_length():
    expected = sum((2 - 2 * cosine(a, b)) / 7 for a, b in zip(PREDICTED, TARGET, strict=True)) / 5
    torch.testing.assert_close(ExpertLoss()(PREDICTED, TARGET), expected)


def test_without_the_division_it_is_as_many_times_larger_as_there_are_dimensions():
    torch.testing.assert_close(ExpertLoss(per_dimension=False)(PREDICTED, TARGET), 7 * ExpertLoss()(PREDICTED, TARGET))


def test_lengths_count_only_in_the_raw_form():
    torch.testing.assert_close(ExpertLoss()(3 * PREDICTED, 0.1 * TARGET), ExpertLoss()(PREDICTED, TARGET))
    raw = sum((p - t) ** 2 for p, t in zip(PREDICTED.flatten(), TARGET.flatten(), strict=True)) / 35
    torch.testing.assert_close(ExpertLoss(normalise=False)(PREDICTED, TARGET), raw)


def test_a_weight_multiplies_its_item_and_not_the_number_of_items():
    weights = torch.tensor([1.0, 1.0, 0.5, 2.0, 1.0])
    alone = [ExpertLoss()(PREDICTED[[i]], TARGET[[i]]) for i in range(5)]
    expected = sum(w * loss for w, loss in zip(weights, alone, strict=True)) / 5
    torch.testing.assert_close(ExpertLoss()(PREDICTED, TARGET, weights), expected)


def test_gradient_flows_to_the_student_alone():
    predicted, target = PREDICTED.clone().requires_grad_(), TARGET.clone().requires_grad_()
    ExpertLoss()(predicted, target).backward()
    assert predicted.grad.abs().sum() > 0 and target.grad is None


def test_half_precision_is_lifted():
    assert ExpertLoss()(PREDICTED.bfloat16(), TARGET).dtype == torch.float32


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 7\).*\(1, 7\).*out_dim"):
        ExpertLoss()(PREDICTED, TARGET[:1])
