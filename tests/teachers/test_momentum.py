import pytest
import torch
from torch import nn

from common.teachers import MomentumTeacher


def student() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def test_update_is_the_convex_combination_by_name():
    follower, leader = MomentumTeacher(student()), student()
    with torch.no_grad():
        for parameter in leader.parameters():
            parameter.add_(torch.randn_like(parameter))
    before = {name: value.clone() for name, value in follower.network.named_parameters()}
    follower.update(leader, momentum=0.9)
    for name, value in leader.named_parameters():
        torch.testing.assert_close(follower.network.get_parameter(name), 0.9 * before[name] + 0.1 * value)


def test_momentum_one_keeps_the_teacher_and_zero_copies_the_student():
    follower, leader = MomentumTeacher(student()), student()
    with torch.no_grad():
        leader[0].weight.add_(1.0)
    kept = follower.network[0].weight.clone()
    follower.update(leader, momentum=1.0)
    assert torch.equal(follower.network[0].weight, kept)
    follower.update(leader, momentum=0.0)
    torch.testing.assert_close(follower.network[0].weight, leader[0].weight)


def test_running_statistics_are_copied():
    follower, leader = MomentumTeacher(student()), student()
    leader(torch.randn(8, 3) + 5)
    follower.update(leader, momentum=0.99)
    assert torch.equal(follower.network[1].running_mean, leader[1].running_mean)
    assert int(follower.network[1].num_batches_tracked) == 1


def test_no_gradient_and_no_trainable_parameter():
    follower = MomentumTeacher(student())
    inputs = torch.randn(8, 3, requires_grad=True)
    assert not follower(inputs).requires_grad
    assert not any(parameter.requires_grad for parameter in follower.parameters())


def test_dropout_is_off_while_batch_norm_uses_the_batch_in_training():
    follower = MomentumTeacher(student())
    follower.train()
    assert not follower.network[2].training and follower.network[1].training
    follower.eval()
    assert not follower.network[1].training


def test_teacher_survives_training_mode_of_its_parent():
    parent = nn.ModuleDict({"teacher": MomentumTeacher(student())})
    parent.train()
    assert not parent["teacher"].network[2].training


def test_a_student_without_one_of_the_parameters_is_refused():
    follower = MomentumTeacher(student())
    with pytest.raises(KeyError):
        follower.update(nn.Linear(3, 4), momentum=0.9)


def test_a_teacher_that_an_optimiser_could_move_is_refused():
    teacher = MomentumTeacher(torch.nn.Linear(2, 2))
    teacher.network.requires_grad_(True)
    with pytest.raises(ValueError, match="weight requires a gradient"):
        teacher(torch.zeros(1, 2))
