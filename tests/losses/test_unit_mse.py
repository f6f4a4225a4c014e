import math

import pytest
import torch

from common.losses import UnitMSE

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
    assert UnitMSE(joint=joint)(predicted, target).item() == pytest.approx(total / (B * P * C), rel=1e-5)


def test_each_part_alone_is_two_minus_two_cosines_over_channels():
    predicted, target = embeddings(0), embeddings(1)
    cosines = torch.nn.functional.cosine_similarity(predicted, target, dim=2)
    torch.testing.assert_close(UnitMSE()(predicted, target), (2 - 2 * cosines).mean() / C)


def test_length_does_not_matter_and_a_joint_length_never_reaches_the_target():
    target = embeddings(1)
    lengths = torch.rand(B, P, 1) + 0.5
    torch.testing.assert_close(UnitMSE()(lengths * target, target), torch.tensor(0.0), atol=1e-12, rtol=0)
    # four vectors of length 1/2 against four of length 1 in the same directions
    unit = torch.nn.functional.normalize(target, dim=2)
    torch.testing.assert_close(UnitMSE(joint=True)(unit, target), torch.tensor(0.25 / C))


def test_no_gradient_reaches_the_target_and_half_precision_is_compared_in_single():
    predicted, target = embeddings(0).requires_grad_(), embeddings(1).requires_grad_()
    UnitMSE()(predicted, target).backward()
    assert target.grad is None
    assert predicted.grad.abs().sum() > 0
    half = UnitMSE()(predicted.detach().bfloat16(), target.bfloat16())
    assert half.dtype == torch.float32


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="differ in"):
        UnitMSE()(embeddings(0), embeddings(1)[:, :1])
