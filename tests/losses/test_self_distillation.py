"""Cross-crop distillation against plain softmaxes; where gradients must not flow; the centre."""

import math

import pytest
import torch

from common.losses import SelfDistillation

K, B = 11, 5


def codes(seed, requires_grad=False):
    return torch.randn(B, K, generator=torch.Generator().manual_seed(seed)).requires_grad_(requires_grad)


def cross_entropy(teacher, student, centre, teacher_temperature=0.04, student_temperature=0.1):
    """One image, one pairing, with Python's own exponentials."""
    sharp = [math.exp((t - c) / teacher_temperature) for t, c in zip(teacher.tolist(), centre.tolist(), strict=True)]
    soft = [math.exp(s / student_temperature) for s in student.tolist()]
    pairs = zip(sharp, soft, strict=True)
    return -sum(t / sum(sharp) * math.log(s / sum(soft)) for t, s in pairs)


@pytest.mark.parametrize("temperatures", [(0.1, 0.04), (0.5, 0.2)])
def test_loss_is_the_mean_of_both_crossed_pairings(temperatures):
    loss = SelfDistillation(K, *temperatures)
    loss.centre.copy_(0.3 * codes(9)[:1])
    student_a, student_b, teacher_a, teacher_b = (0.3 * codes(seed) for seed in range(4))
    total = 0.0
    for index in range(B):
        for teacher, student in ((teacher_a, student_b), (teacher_b, student_a)):
            total += cross_entropy(teacher[index], student[index], loss.centre[0], temperatures[1], temperatures[0])
    assert loss(student_a, student_b, teacher_a, teacher_b).item() == pytest.approx(total / (2 * B), rel=1e-5)


def test_crops_are_symmetric_but_not_interchangeable_between_student_and_teacher():
    loss = SelfDistillation(K)
    a, b, c, d = (codes(seed) for seed in range(4))
    torch.testing.assert_close(loss(a, b, c, d), loss(b, a, d, c))
    assert not torch.allclose(loss(a, b, c, d), loss(b, a, c, d))


def test_no_gradient_reaches_the_teacher_and_the_student_s_is_prediction_minus_target():
    loss = SelfDistillation(K)
    student_a, student_b, teacher_a, teacher_b = (codes(seed, requires_grad=True) for seed in range(4))
    loss(student_a, student_b, teacher_a, teacher_b).backward()
    assert teacher_a.grad is None
    assert teacher_b.grad is None
    target = ((teacher_b.detach() - loss.centre) / 0.04).softmax(1)
    expected = ((student_a.detach() / 0.1).softmax(1) - target) / 0.1 / (2 * B)
    torch.testing.assert_close(student_a.grad, expected)
    assert not loss.centre.requires_grad


def test_a_shift_of_all_teacher_codes_is_undone_by_the_centre():
    loss, shift = SelfDistillation(K), codes(8)[:1]
    a, b, c, d = (codes(seed) for seed in range(4))
    plain = loss(a, b, c, d)
    loss.centre.copy_(shift)
    torch.testing.assert_close(loss(a, b, c + shift, d + shift), plain)


def test_centre_is_a_moving_average_of_the_mean_code():
    loss = SelfDistillation(K)
    first, second = codes(0, requires_grad=True), codes(1)
    loss.update_centre(first)
    torch.testing.assert_close(loss.centre[0], 0.1 * first.detach().mean(0))
    loss.update_centre(second)
    torch.testing.assert_close(loss.centre[0], 0.09 * first.detach().mean(0) + 0.1 * second.mean(0))
    assert not loss.centre.requires_grad


def test_centre_of_two_processes_is_that_of_their_joint_batch():
    mine, other = codes(0), codes(1)[:2]
    shared, joint = SelfDistillation(K, centre_momentum=0.7), SelfDistillation(K, centre_momentum=0.7)
    shared.update_centre(mine, gather=lambda tensor: torch.cat([tensor, other]))
    joint.update_centre(torch.cat([mine, other]))
    torch.testing.assert_close(shared.centre, joint.centre)


def test_the_loss_does_not_move_the_centre_and_the_centre_is_saved():
    loss = SelfDistillation(K)
    loss(*(codes(seed) for seed in range(4)))
    assert loss.centre.eq(0).all()
    loss.update_centre(codes(0))
    twin = SelfDistillation(K)
    twin.load_state_dict(loss.state_dict())
    assert torch.equal(twin.centre, loss.centre)


def test_half_precision_codes_are_compared_in_single_precision():
    loss = SelfDistillation(K)
    a, b, c, d = (codes(seed).bfloat16() for seed in range(4))
    out = loss(a, b, c, d)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, loss(a.float(), b.float(), c.float(), d.float()))


@pytest.mark.parametrize("options", [{"student_temperature": 0}, {"teacher_temperature": -1}, {"centre_momentum": 1.1}])
def test_bad_settings_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        SelfDistillation(K, **options)
