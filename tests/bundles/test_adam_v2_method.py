"""Adam v2's step crop by crop in plain loops, and the gradients that must not flow."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bundles.cxr_adam_v2.scripts.method import AdamV2
from common.losses import EmbeddingMSE, MultiCropDistillation
from common.views import QUARTERS

WIDTH, CODES, B = 6, 7, 3
LCD_SIDES = {"whole": 8, "global": 8, "local0": 4, "local1": 4, **dict.fromkeys(QUARTERS, 8)}
L_SIDES = {"global0": 8, "global1": 8, "local0": 4, "local1": 4}


class CountingEncoder(nn.Module):
    """The mean of one linear map per 2 x 2 patch after a ReLU; it notes the shape of every call."""

    embed_dim = WIDTH

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, 2, stride=2)
        self.calls = []

    def embed(self, images):
        self.calls.append(tuple(images.shape))
        return self.patches(images).relu().mean((2, 3))


class GivenCrops:
    """A view whose rendered crops lie in the parameters already."""

    teacher_names, student_names, part_names = ("whole",), ("global", "local0", "local1"), ("whole", *QUARTERS)

    def render(self, images, params):
        return params


class GivenPairs(GivenCrops):
    """Likewise of the L stage."""

    teacher_names, student_names, part_names = ("global0", "global1"), ("global0", "global1", "local0", "local1"), ()


def make(**options) -> AdamV2:
    torch.manual_seed(0)
    defaults = {
        "encoder": CountingEncoder(),
        "view": GivenCrops(),
        "head": nn.Linear(WIDTH, CODES),
        "localisation": MultiCropDistillation(CODES),
        "composition": EmbeddingMSE(),
        "decomposition": EmbeddingMSE(),
    }
    return AdamV2(**(defaults | options))


def make_l() -> AdamV2:
    return make(view=GivenPairs(), composition=None, decomposition=None)


def batch(sides=LCD_SIDES, **other) -> dict:
    generator = torch.Generator().manual_seed(1)
    crops = {n: torch.rand(B, 1, side, side, generator=generator) for n, side in (sides | other).items()}
    return {"image": torch.zeros(B, 1, 1, 1), "view": crops}


def part_teacher_from_student(method: AdamV2) -> None:
    """A teacher equal to its student would hide an exchange of the two."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))


def expected(method: AdamV2, crops: dict) -> dict[str, float]:
    """The three losses image by image and crop by crop."""
    student, teacher = method.student, method.teacher.network
    localisation = composition = decomposition = 0.0
    for b in range(B):
        own = {name: student.encoder.embed(crop[b : b + 1])[0] for name, crop in crops.items()}
        other = {name: teacher.encoder.embed(crop[b : b + 1])[0] for name, crop in crops.items()}
        target = (teacher.head(other["whole"]) / 0.04).softmax(0)
        for name in ("global", "local0", "local1"):
            localisation -= (target * (student.head(own[name]) / 0.1).log_softmax(0)).sum().item() / (3 * B)
        composed = method.composer.get_submodule("2")(
            method.composer.get_submodule("0")(torch.cat([own[name] for name in QUARTERS])).relu()
        )
        difference = F.normalize(composed, dim=0) - F.normalize(other["whole"], dim=0)
        composition += difference.square().mean().item() / B
        hidden = method.decomposer.get_submodule("0")(own["whole"]).relu()
        decomposed = method.decomposer.get_submodule("2")(hidden)
        for index, name in enumerate(QUARTERS):
            guess = decomposed[index * WIDTH : (index + 1) * WIDTH]
            difference = F.normalize(guess, dim=0) - F.normalize(other[name], dim=0)
            decomposition += difference.square().mean().item() / (4 * B)
    return {"localisation": localisation, "composition": composition, "decomposition": decomposition}


@pytest.mark.parametrize("part_side", [8, 4])
def test_step_equals_the_definition_crop_by_crop(part_side):
    method, data = make(weights=[1.0, 2.0, 3.0]), batch(**dict.fromkeys(QUARTERS, part_side))
    part_teacher_from_student(method)
    losses = method(data)
    parts = expected(method, data["view"])
    assert {
        name: value.item() for name, value in losses.items() if name not in ("loss", "told_apart")
    } == pytest.approx(parts, rel=1e-4)
    total = parts["localisation"] + 2 * parts["composition"] + 3 * parts["decomposition"]
    assert losses["loss"].item() == pytest.approx(total, rel=1e-4)


def test_localisation_alone_compares_both_global_crops_with_all_but_themselves():
    """DINO's double loop over the teacher's and the student's crops, image by image."""
    method, data = make_l(), batch(L_SIDES)
    part_teacher_from_student(method)
    student, teacher = method.student, method.teacher.network
    total = terms = 0
    for seen in ("global0", "global1"):
        target = (teacher.head(teacher.encoder.embed(data["view"][seen])) / 0.04).softmax(1)
        for name, crop in data["view"].items():
            if name != seen:
                total -= (target * (student.head(student.encoder.embed(crop)) / 0.1).log_softmax(1)).sum(1).mean()
                terms += 1
    assert terms == 6
    losses = method(data)
    torch.testing.assert_close(losses["localisation"], total / terms)
    assert set(losses) == {"loss", "told_apart", "localisation"}


def test_the_centre_is_of_both_global_crops():
    method, data = make_l(), batch(L_SIDES)
    part_teacher_from_student(method)
    teacher = method.teacher.network
    codes = torch.cat([teacher.head(teacher.encoder.embed(data["view"][name])) for name in ("global0", "global1")])
    method(data)
    torch.testing.assert_close(method.localisation.centre, 0.1 * codes.mean(0, keepdim=True))


def test_the_encoder_is_called_once_for_each_size():
    method = make()
    method(batch())
    assert sorted(method.student.encoder.calls) == [(2 * B, 1, 4, 4), (6 * B, 1, 8, 8)]
    assert method.teacher.network.encoder.calls == [(5 * B, 1, 8, 8)]  # the whole once, for codes and composition
    method = make_l()
    method(batch(L_SIDES))
    assert sorted(method.student.encoder.calls) == [(2 * B, 1, 4, 4), (2 * B, 1, 8, 8)]
    assert method.teacher.network.encoder.calls == [(2 * B, 1, 8, 8)]


def test_no_gradient_reaches_the_teacher_and_every_student_parameter_gets_one():
    method = make()
    part_teacher_from_student(method)
    method(batch())["loss"].backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    trained = {name: p for name, p in method.named_parameters() if not name.startswith("teacher.")}
    assert {name for name, p in trained.items() if p.grad is None or not p.grad.abs().sum() > 0} == set()


def test_the_student_never_codes_the_whole_which_the_teacher_codes_alone():
    method, data = make(composition=None, decomposition=None), batch()
    for name in LCD_SIDES:
        data["view"][name].requires_grad_()
    method(data)["loss"].backward()
    assert {name for name in LCD_SIDES if data["view"][name].grad is not None} == {"global", "local0", "local1"}
    data["view"]["whole"].data.add_(1.0)
    before = method(data)["loss"]
    data["view"]["global"].data.add_(1.0)
    assert method(data)["loss"] != before


def test_every_crop_of_the_whole_stage_teaches_the_student():
    method, data = make(), batch()
    for name in LCD_SIDES:
        data["view"][name].requires_grad_()
    method(data)["loss"].backward()
    assert all(data["view"][name].grad.abs().sum() > 0 for name in LCD_SIDES)


def test_centre_follows_the_teacher_s_codes_in_training_only_and_from_all_processes():
    other = torch.full((2, CODES), 3.0)
    method, data = make(gather=lambda codes: torch.cat([codes, other])), batch()
    part_teacher_from_student(method)
    codes = method.teacher.network.head(method.teacher.network.encoder.embed(data["view"]["whole"]))
    method(data)
    torch.testing.assert_close(method.localisation.centre, 0.1 * torch.cat([codes, other]).mean(0, keepdim=True))


def test_evaluation_changes_nothing():
    method, data = make(), batch()
    method(data)
    method.eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    first = method(data)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert torch.equal(method(data)["loss"], first["loss"])


def test_update_moves_teacher_to_the_student_after_the_step():
    method = make()
    with torch.no_grad():
        method.student.encoder.patches.weight.add_(1.0)
        method.student.head.bias.add_(1.0)
    weight, bias = (
        p.clone() for p in (method.teacher.network.encoder.patches.weight, method.teacher.network.head.bias)
    )
    method.update_teacher(0.75)
    torch.testing.assert_close(method.teacher.network.encoder.patches.weight, weight + 0.25)
    torch.testing.assert_close(method.teacher.network.head.bias, bias + 0.25)


def test_stages_and_ablations_leave_out_their_losses_modules_and_crops():
    data = batch()
    alone = make_l()
    assert set(alone(batch(L_SIDES))) == {"loss", "told_apart", "localisation"}
    assert alone.composer is None and alone.decomposer is None
    assert set(make(decomposition=None)(data)) == {"loss", "told_apart", "localisation", "composition"}
    assert set(make(composition=None)(data)) == {"loss", "told_apart", "localisation", "decomposition"}


def test_state_that_changes_the_next_step_is_in_the_state_dict():
    method, data = make(), batch()
    method(data)
    part_teacher_from_student(method)
    twin = make()
    twin.load_state_dict(method.state_dict())
    torch.testing.assert_close(method(data)["loss"], twin(data)["loss"], rtol=0, atol=0)
