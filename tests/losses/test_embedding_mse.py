"""Squared error of embeddings against its closed form, entry by entry."""

import math

import pytest
import torch

from common.losses import EmbeddingMSE

B, P, C = 3, 4, 5


def embeddings(seed):
    return torch.randn(B, P, C, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("joint", [False, True])
def test_loss_is_the_mean_over_entries_of_unit_vectors(joint):
    predicted, target = embeddings(0), embeddings(1)
    total = 0.0
    for b in range(B):
        whole = math.sqrt(sum(value**2 for value in predicted[b].flatten().tolist()))
        for p in range(P):
            own = math.sqrt(sum(value**2 for value in predicted[b, p].tolist()))
            other = math.sqrt(sum(value**2 for value in target[b, p].tolist()))
            for c in range(C):
                guess = predicted[b, p, c].item() / (whole if joint else own)
                total += (guess - target[b, p, c].item() / other) ** 2
    assert EmbeddingMSE(joint=joint)(predicted, target).item() == pytest.approx(total / (B * P * C), rel=1e-5)


def test_each_part_alone_is_two_minus_two_cosines_over_channels():
    predicted, target = embeddings(0), embeddings(1)
    cosines = torch.nn.functional.cosine_similarity(predicted, target, dim=2)
    torch.testing.assert_close(EmbeddingMSE()(predicted, target), (2 - 2 * cosines).mean() / C)


def test_length_does_not_matter_and_a_joint_length_never_reaches_the_target():
    target = embeddings(1)
    lengths = torch.rand(B, P, 1) + 0.5
    torch.testing.assert_close(EmbeddingMSE()(lengths * target, target), torch.tensor(0.0), atol=1e-12, rtol=0)
    # four vectors of length 1/2 against four of length 1 in the same directions
    unit = torch.nn.functional.normalize(target, dim=2)
    torch.testing.assert_close(EmbeddingMSE(joint=True)(unit, target), torch.tensor(0.25 / C))


def test_no_gradient_reaches_the_target_and_half_precision_is_compared_in_single():
    predicted, target = embeddings(0).requires_grad_(), embeddings(1).requires_grad_()
    EmbeddingMSE()(predicted, target).backward()
    assert target.grad is None
    assert predicted.grad.abs().sum() > 0
    half = EmbeddingMSE()(predicted.detach().bfloat16(), target.bfloat16())
    assert half.dtype == torch.float32


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 4, 5\).*\(3, 1, 5\) differ in shape.*out_dim"):
        EmbeddingMSE()(embeddings(0), embeddings(1)[:, :1])


def test_without_the_division_it_is_as_many_times_larger_as_there_are_dimensions():
    predicted, target = embeddings(0), embeddings(1)
    torch.testing.assert_close(
        EmbeddingMSE(per_dimension=False)(predicted, target), C * EmbeddingMSE()(predicted, target)
    )


def test_lengths_count_only_in_the_raw_form():
    predicted, target = embeddings(0), embeddings(1)
    raw = sum((p - t) ** 2 for p, t in zip(predicted.flatten(), target.flatten(), strict=True)) / (B * P * C)
    torch.testing.assert_close(EmbeddingMSE(normalise=False)(predicted, target), raw)
    with pytest.raises(ValueError, match="joint is true"):
        EmbeddingMSE(normalise=False, joint=True)


def test_a_weight_multiplies_its_item_and_not_the_number_of_items():
    predicted, target = embeddings(0)[:, 0], embeddings(1)[:, 0]
    weights = torch.tensor([1.0, 0.5, 2.0])
    alone = [EmbeddingMSE()(predicted[[i]], target[[i]]) for i in range(B)]
    expected = sum(w * loss for w, loss in zip(weights, alone, strict=True)) / B
    torch.testing.assert_close(EmbeddingMSE()(predicted, target, weights), expected)


def test_a_vector_of_zeros_is_one_away_from_every_direction():
    nothing, target = torch.zeros(2, C, requires_grad=True), embeddings(1)[:2, 0]
    loss = EmbeddingMSE(per_dimension=False)(nothing, target)
    assert loss.item() == pytest.approx(1.0)
    assert EmbeddingMSE()(nothing, torch.zeros(2, C)) == 0
    loss.backward()
    assert nothing.grad.isfinite().all()
