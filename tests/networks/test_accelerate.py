"""Encoders that run another way give the same, and are saved alike."""

import copy

import pytest
import torch

from common.networks import accelerated, build_encoder, each_apart
from common.teachers import StudentTeacher

VIT = {"architecture": "vit_tiny_patch16_224", "image_size": 32, "options": {"depth": 2, "patch_size": 8}}
RESNET = {"architecture": "resnet18", "image_size": 32}
IMAGES = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


class Method(StudentTeacher):
    """Student and teacher of one encoder."""

    def __init__(self, **description):
        torch.manual_seed(0)
        student = torch.nn.Module()
        student.encoder = build_encoder(**description)
        super().__init__(student)


def encoded(method):
    """Embeddings of student and teacher, the last map, and the gradient of the student's first weight."""
    student, teacher = method.student.encoder, method.teacher.network.encoder
    method.zero_grad()
    encoding, last = student.encode(IMAGES), student.pyramid(IMAGES)[-1]
    (encoding.embedding.square().sum() + encoding.tokens.square().sum() + last.square().sum()).backward()
    first = next(student.parameters())
    return encoding.embedding.detach(), teacher.embed(IMAGES).detach(), last.detach(), first.grad.clone()


def same(plain, other):
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, other, strict=True))


@pytest.fixture
def compiled_functions(monkeypatch):
    """What is compiled, and by which mode; graphs are run as they are, since a compiler takes minutes."""
    found = []
    compile_ = torch.compile

    def recording(function, mode=None):
        found.append((function.__func__.__name__, mode))
        return compile_(function, backend="aot_eager")

    monkeypatch.setattr(torch, "compile", recording)
    return found


@pytest.mark.parametrize(("asked", "mode"), [(True, None), ("reduce-overhead", "reduce-overhead")])
def test_compiled_encoders_give_the_same_and_are_saved_by_the_same_names(compiled_functions, asked, mode):
    method = Method(**VIT)
    plain, names = encoded(copy.deepcopy(method)), list(method.state_dict())
    assert accelerated(method, compile=asked) is method
    assert compiled_functions == [("forward_features", mode), ("forward_intermediates", mode)] * 2  # student, teacher
    assert same(plain, encoded(method))
    assert list(method.state_dict()) == names


def test_activations_computed_twice_give_the_same():
    method = Method(**VIT)
    plain, calls = encoded(method), []
    block = method.student.encoder.body.blocks[0]
    block.register_forward_pre_hook(lambda *_: calls.append(1))
    accelerated(method, checkpointing=True)
    assert same(plain, encoded(method))
    assert len(calls) == 4  # two passes, each once more in the backward pass


def test_batch_norm_is_not_to_count_a_batch_twice():
    with pytest.raises(ValueError, match="resnet18 has batch norm, which would count every batch twice"):
        accelerated(Method(**RESNET), checkpointing=True)


def test_convolutions_by_pixels_give_the_same():
    method = Method(**RESNET).train(False)
    plain = encoded(method)
    accelerated(method, channels_last=True)
    weight = method.teacher.network.encoder.body.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    assert same(plain, encoded(method))


def test_nothing_is_the_default(compiled_functions):
    method = accelerated(Method(**RESNET))
    assert not compiled_functions
    assert all(parameter.is_contiguous() for parameter in method.parameters())


def test_compiled_passes_of_views_normalise_each_by_itself(compiled_functions):
    """And so does a pass of another count of them: what was compiled for one is not taken for the other."""
    batch = torch.rand(2, 4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    plain = accelerated(Method(**RESNET)).student
    compiled = accelerated(copy.deepcopy(plain), compile=True)
    for count in (2, 1):
        expected, found = (views_embedded(network.encoder, batch[:count]) for network in (plain, compiled))
        assert same(expected, found)
    before, after = (list(network.buffers()) for network in (plain, compiled))
    assert before and same(before, after)
    assert compiled_functions


def views_embedded(encoder, views):
    """Embeddings of each view, and the gradient of the first weight."""
    encoder.zero_grad()
    embeddings = each_apart(encoder, encoder.embed, list(views))
    torch.stack(embeddings).square().sum().backward()
    return [*(embedding.detach() for embedding in embeddings), next(encoder.parameters()).grad.clone()]
