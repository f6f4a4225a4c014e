import copy

import torch
from torch import nn

from common.teachers import StudentTeacher


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 2)


class Toy(StudentTeacher):
    """A method with a head of its own, which the teacher does not have."""

    def __init__(self, student: nn.Module, **options: bool):
        super().__init__(student, **options)
        self.predictor = nn.Linear(2, 2)


def test_checkpoints_name_student_and_teacher_alike():
    names = set(Toy(Student()).state_dict())
    own = set(Student().state_dict())
    assert names == {f"student.{name}" for name in own} | {f"teacher.network.{name}" for name in own} | {
        "predictor.weight",
        "predictor.bias",
    }


def test_a_state_dict_of_students_and_teachers_built_one_by_one_is_taken():
    student = Student()
    before = {f"student.{k}": v for k, v in student.state_dict().items()}
    before |= {f"teacher.network.{k}": v + 1 for k, v in student.state_dict().items()}
    before |= {f"predictor.{k}": v for k, v in nn.Linear(2, 2).state_dict().items()}
    method = Toy(Student())
    method.load_state_dict(before, strict=True)
    assert torch.equal(method.transferred_encoder[0].weight, student.encoder[0].weight + 1)


def test_the_same_seed_draws_the_heads_that_it_drew_without_a_base():
    torch.manual_seed(3)
    student = Student()
    copy.deepcopy(student)
    expected = nn.Linear(2, 2).weight
    torch.manual_seed(3)
    assert torch.equal(Toy(Student()).predictor.weight, expected)


def test_the_teacher_is_transferred_and_follows_the_student():
    method = Toy(Student())
    assert method.transferred_encoder is method.teacher.network.encoder
    with torch.no_grad():
        method.student.encoder[0].weight.add_(1.0)
    before = method.transferred_encoder[0].weight.clone()
    method.update_teacher(0.75)
    torch.testing.assert_close(method.transferred_encoder[0].weight, before + 0.25)


def test_buffers_are_the_students_unless_the_teacher_keeps_its_own():
    for options, followed in (({}, True), ({"copy_buffers": False}, False)):
        method = Toy(Student(), **options)
        method.student.encoder[1].running_mean.fill_(5.0)
        method.student.encoder[1].num_batches_tracked.fill_(7)  # of another type
        method.update_teacher(0.5)
        kept = method.teacher.network.encoder[1]
        assert bool((kept.running_mean == 5.0).all()) is followed
        assert bool(kept.num_batches_tracked == 7) is followed
