"""One teacher crop against several student crops: a loop in plain Python, gradients, and the form of two crops."""

import math

import pytest
import torch

from common.losses import MultiCropDistillation, SelfDistillation

N, B, K = 3, 4, 7


def codes(seed, *shape):
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(**options) -> MultiCropDistillation:
    loss = MultiCropDistillation(K, **options)
    loss.centre.copy_(codes(9, 1, K))
    return loss


@pytest.mark.parametrize("temperatures", [(0.1, 0.04), (0.5, 0.2)])
def test_loss_is_the_mean_over_every_crop_and_image(temperatures):
    loss = made(student_temperature=temperatures[0], teacher_temperature=temperatures[1])
    student, teacher = codes(0, N, B, K), codes(1, B, K)
    total = 0.0
    for n in range(N):
        for b in range(B):
            pairs = zip(teacher[b].tolist(), loss.centre[0].tolist(), strict=True)
            sharp = [math.exp((t - c) / temperatures[1]) for t, c in pairs]
            soft = [math.exp(s / temperatures[0]) for s in student[n, b].tolist()]
            for t, s in zip(sharp, soft, strict=True):
                total -= t / sum(sharp) * math.log(s / sum(soft))
    assert loss(student, teacher).item() == pytest.approx(total / (N * B), rel=1e-5)


def test_two_crossed_single_crops_are_the_loss_of_a_pair():
    pair, several = SelfDistillation(K), MultiCropDistillation(K)
    a, b, c, d = (codes(seed, B, K) for seed in range(4))
    both = (several(a[None], d) + several(b[None], c)) / 2
    torch.testing.assert_close(both, pair(a, b, c, d))


def test_gradient_reaches_every_crop_and_is_prediction_minus_target():
    loss = made()
    student, teacher = codes(0, N, B, K).requires_grad_(), codes(1, B, K).requires_grad_()
    loss(student, teacher).backward()
    target = ((teacher.detach() - loss.centre) / 0.04).softmax(1)
    expected = ((student.detach() / 0.1).softmax(2) - target) / 0.1 / (N * B)
    torch.testing.assert_close(student.grad, expected)
    assert teacher.grad is None


def test_crops_are_exchangeable_and_images_are_not():
    loss, student, teacher = made(), codes(0, N, B, K), codes(1, B, K)
    torch.testing.assert_close(loss(student.flip(0), teacher), loss(student, teacher))
    assert not torch.allclose(loss(student.flip(1), teacher), loss(student, teacher))
