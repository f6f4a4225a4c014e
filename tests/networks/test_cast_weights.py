"""Frozen encoders whose weights are cast once give what those give whose weights are cast in every pass."""

import copy

import pytest
import torch
from torch import nn

from common.benchmarks.launches import Launches
from common.networks import CastWeights, accelerated, build_encoder
from common.teachers import MomentumTeacher, NetworkExpert

IMAGES = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
VIT = {"architecture": "vit_tiny_patch16_224", "image_size": 32, "options": {"depth": 2, "patch_size": 8}}
RESNET = {"architecture": "resnet18", "image_size": 32}


class WithHead(nn.Module):
    """An encoder, and a head that leaves mixed precision."""

    def __init__(self, **description):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = build_encoder(**description)
        self.head = nn.Linear(self.encoder.embed_dim, 3)

    def forward(self, images):
        embedding = self.encoder.embed(images)
        with torch.autocast("cpu", enabled=False):
            return embedding, self.head(embedding.float())


def mixed():
    return torch.autocast("cpu", torch.bfloat16)


def kinds(module):
    return {parameter.dtype for parameter in module.parameters()}


@torch.no_grad()
def same(plain, teacher):
    with mixed():
        expected = plain(IMAGES)
    with mixed():
        found = teacher(IMAGES)
    return all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("description", [VIT, RESNET], ids=["vit", "resnet"])
def test_a_teacher_gives_the_same_to_the_bit_before_and_after_it_moves(description):
    student = WithHead(**description)
    teacher = MomentumTeacher(student).train(False)
    assert same(teacher.network, teacher)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.mul_(1.5)
    before = teacher(IMAGES)[0]
    teacher.update(student, momentum=0.5)
    assert same(teacher.network, teacher)
    assert not torch.allclose(before, teacher(IMAGES)[0])


def test_other_weights_and_another_layout_are_noticed():
    student = WithHead(**RESNET)
    teacher = MomentumTeacher(student).train(False)
    assert same(teacher.network, teacher)
    teacher.network.load_state_dict({name: value * 1.1 for name, value in student.state_dict().items()})
    assert same(teacher.network, teacher)
    accelerated(teacher, channels_last=True)
    assert same(teacher.network, teacher)
    teacher.network.load_state_dict({name: value * 1.2 for name, value in student.state_dict().items()}, assign=True)
    assert same(teacher.network, teacher)


def test_a_teacher_first_asked_in_inference_mode_can_move():
    student = WithHead(**RESNET)
    teacher = MomentumTeacher(student).train(False)
    with torch.inference_mode(), mixed():
        teacher(IMAGES)
    teacher.update(student, momentum=0.5)
    assert same(teacher.network, teacher)


def test_weights_are_back_in_their_places_afterwards_and_nothing_else_is_saved():
    teacher = MomentumTeacher(WithHead(**VIT)).train(False)
    names, weights = list(teacher.state_dict()), dict(teacher.network.named_parameters())
    with mixed(), pytest.raises(ValueError, match="takes images"):
        teacher(torch.zeros(2, 3, 32, 32))  # three channels for one
    with mixed():
        teacher(IMAGES)
    assert list(teacher.state_dict()) == names and kinds(teacher.network) == {torch.float32}
    assert all(parameter is weights[name] for name, parameter in teacher.network.named_parameters())
    assert [name for name, _ in teacher.network.named_parameters()] == list(weights)


def test_a_copy_has_cast_weights_of_its_own():
    teacher = MomentumTeacher(WithHead(**RESNET))
    other = copy.deepcopy(teacher)
    with mixed(), other._cast_weights.in_use():
        assert torch.bfloat16 in kinds(other.network) and kinds(teacher.network) == {torch.float32}


def test_norms_heads_and_layers_of_other_types_keep_what_they_have():
    class Standardised(nn.Conv2d):
        def forward(self, x):
            assert self.weight.dtype == torch.float32
            return super().forward(x)

    network = WithHead(**RESNET)
    network.encoder.body.layer1[0].conv1 = Standardised(64, 64, 3, padding=1)
    network.requires_grad_(False)
    with mixed(), CastWeights(network).in_use():
        cast = {name for name, parameter in network.named_parameters() if parameter.dtype == torch.bfloat16}
        network(IMAGES)
    assert cast and not any("bn" in name or "head" in name for name in cast)
    assert "encoder.body.layer1.0.conv1.weight" not in cast and "encoder.body.layer1.0.conv2.weight" in cast


def test_without_mixed_precision_nothing_is_made():
    network = WithHead(**RESNET).requires_grad_(False)
    with CastWeights(network).in_use():
        assert kinds(network) == {torch.float32}


def test_trainable_weights_stay_and_keep_their_gradients():
    network = WithHead(**RESNET)
    with mixed(), CastWeights(network).in_use():
        network.encoder.embed(IMAGES).float().sum().backward()
    assert network.encoder.body.conv1.weight.grad.abs().sum() > 0


def test_weights_that_autocast_leaves_or_whose_changes_cannot_be_seen_stay():
    double, meta = WithHead(**RESNET).double(), WithHead(**RESNET).to("meta")
    with torch.inference_mode():
        unwatched = WithHead(**RESNET)
    for network, kind in ((double, torch.float64), (meta, torch.float32), (unwatched, torch.float32)):
        network.requires_grad_(False)
        with mixed(), CastWeights(network).in_use():
            assert kinds(network) == {kind}


def test_an_expert_that_leaves_mixed_precision_is_left_alone():
    encoder = build_encoder(**RESNET)

    def exact(images):
        with torch.autocast("cpu", enabled=False):
            return encoder.embed(images.float())

    expert = NetworkExpert(encoder, 32, forward=exact)
    with mixed():
        assert torch.equal(expert.embed(IMAGES, {}), exact(IMAGES))


def test_no_pass_casts_weights_but_the_first():
    expert = NetworkExpert(encoder := build_encoder(**RESNET), 32, forward=encoder.embed)
    weights = sum(type(module) is nn.Conv2d for module in encoder.modules())
    found = []
    for _ in range(3):
        with mixed(), Launches() as launches:
            expert.embed(IMAGES, {})
        found.append(launches.launched.total())
    assert weights and found == [found[1] + weights, found[1], found[1]]


def test_compiled_passes_of_a_teacher_see_the_weights_of_now(monkeypatch):
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, mode: compile_(function, backend="aot_eager"))
    student = WithHead(**RESNET)
    plain = MomentumTeacher(student).train(False)
    compiled = accelerated(copy.deepcopy(plain), compile=True)
    for momentum in (1.0, 0.5):
        for teacher in (plain, compiled):
            teacher.update(student, momentum)
        assert same(plain.network, compiled)
        with torch.no_grad():
            for parameter in student.parameters():
                parameter.mul_(1.5)
