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


def log_softmax(row, temperature):
    scaled = [value / temperature for value in row]
    total = math.log(sum(math.exp(value) for value in scaled))
    return [value - total for value in scaled]


@pytest.mark.parametrize(("same", "terms"), [({0: 0, 1: 1}, 18), ({0: 4, 1: 2}, 18), ({1: 3}, 19), (None, 20)])
def test_loss_is_dino_s_over_all_pairs_but_those_of_one_crop(same, terms):
    """Two crops of the teacher and ten of the student, pair by pair and image by image in plain Python."""
    loss = made()
    student, teacher = codes(0, 10, B, K), codes(1, 2, B, K)
    total = count = 0
    for m in range(2):
        for n in range(10):
            if same and same.get(m) == n:
                continue
            count += 1
            for b in range(B):
                target = log_softmax((teacher[m, b] - loss.centre[0]).tolist(), 0.04)
                guess = log_softmax(student[n, b].tolist(), 0.1)
                total -= sum(math.exp(t) * g for t, g in zip(target, guess, strict=True)) / B
    assert count == terms
    assert loss(student, teacher, same).item() == pytest.approx(total / terms, rel=1e-5)


def test_a_crop_is_not_compared_with_itself():
    """Without others of the teacher's, a student's crop that only meets itself gets no gradient."""
    student, teacher = codes(0, 2, B, K).requires_grad_(), codes(1, 1, B, K)
    made()(student, teacher, {0: 1}).backward()
    assert student.grad[0].any() and not student.grad[1].any()


@pytest.mark.parametrize(
    ("shapes", "same", "message"),
    [
        (((2, B, K), (1, B + 1, K)), None, "expected the same images"),
        (((1, B, K), (1, B, K)), {0: 0}, "one other pair or more"),
        (((2, B, K), (1, B, K)), {0: 2}, "expected indices below 1 of the teacher's and 2 of the student's"),
    ],
)
def test_what_is_no_term_is_refused(shapes, same, message):
    with pytest.raises(ValueError, match=message):
        made()(codes(0, *shapes[0]), codes(1, *shapes[1]), same)


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
