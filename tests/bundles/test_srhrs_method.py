"""SRHRS's and BYOL's steps against plain reimplementations, and the gradients that must not flow."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bundles.cxr_srhrs.scripts.byol import BYOL
from bundles.cxr_srhrs.scripts.heads import LocationHead, Predictor, Projector
from bundles.cxr_srhrs.scripts.method import SRHRS
from common.losses import CosineRegression, InBatchInfoNCE, LocationScale
from common.networks.batch_statistics import without_counters
from common.views import QUARTERS

WIDTH, OUT, SIDE, BATCH = 6, 5, 14, 3
NAMES = ("teacher", "student", *QUARTERS)


class PatchEncoder(nn.Module):
    """One linear map per patch and a norm, so that tests can follow every number."""

    embed_dim = WIDTH

    def __init__(self, norm=None):
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, 2, stride=2)
        self.norm = norm or nn.BatchNorm2d(WIDTH)
        self.passes = 0

    def tokens(self, images):
        self.passes += 1
        return self.norm(self.patches(images))


class GivenViews:
    """A view whose rendered views and targets lie in the parameters already."""

    def render(self, images, params):
        return {name: value for name, value in params.items() if name != "targets"}

    def targets(self, params):
        return params["targets"]


def make(**options) -> SRHRS:
    torch.manual_seed(0)
    loss = options.get("location_scale", LocationScale())
    defaults = {
        "encoder": PatchEncoder(),
        "view": GivenViews(),
        "projector": Projector(WIDTH, 8, OUT),
        "contrast": InBatchInfoNCE(0.2),
        "location_scale": loss,
        "location_head": LocationHead(OUT, 3, 7),
        "decomposition": InBatchInfoNCE(0.5),
    }
    return SRHRS(**(defaults | options))


def batch() -> dict:
    generator = torch.Generator().manual_seed(1)
    views = {name: torch.rand(BATCH, 1, SIDE, SIDE, generator=generator) for name in NAMES}
    targets = torch.rand(BATCH, 3, generator=generator)
    return {"image": torch.zeros(BATCH, 1, 1, 1), "view": views | {"targets": targets}}


def part_teacher_from_student(method):
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("counted", [True, False])  # recipes' batch norms do not count, and keep views apart
@pytest.mark.parametrize("norm", [nn.BatchNorm2d(WIDTH), nn.GroupNorm(1, WIDTH)])
def test_losses_equal_the_written_out_formulas(norm, counted):
    method, data = make(encoder=PatchEncoder(copy.deepcopy(norm))), batch()
    if not counted:
        without_counters(method)
    part_teacher_from_student(method)
    student, teacher, head = (copy.deepcopy(m) for m in (method.student, method.teacher.network, method.location_head))
    losses = method(data)
    views = data["view"]
    each = isinstance(norm, nn.BatchNorm2d) and counted
    assert method.student.encoder.passes == (5 if each else 1)

    z_s = unit(student.projector(student.encoder.tokens(views["student"])))
    map_t = teacher.encoder.tokens(views["teacher"])
    z_t = unit(teacher.projector(map_t))
    contrast = F.cross_entropy(z_s @ z_t.T / 0.2, torch.arange(BATCH))
    location = F.binary_cross_entropy_with_logits(head(z_s), views["targets"])

    cuts = [map_t[:, :, r, c] for r in (slice(0, 3), slice(3, 7)) for c in (slice(0, 3), slice(3, 7))]
    enlarged = [F.interpolate(cut, (7, 7), mode="bilinear", align_corners=False) for cut in cuts]
    k = torch.stack([teacher.projector(part) for part in enlarged], 1)  # batch norm of each place by itself
    places = ("top_left", "top_right", "bottom_left", "bottom_right")
    q = torch.stack([student.projector(student.encoder.tokens(views[name])) for name in places], 1)
    each = [F.cross_entropy(unit(q[i]) @ unit(k[i]).T / 0.5, torch.arange(4)) for i in range(BATCH)]
    decomposition = torch.stack(each).mean()

    torch.testing.assert_close(losses["contrast"], contrast)
    torch.testing.assert_close(losses["location_scale"], location)
    torch.testing.assert_close(losses["decomposition"], decomposition)
    torch.testing.assert_close(losses["loss"], contrast + 2 * location + decomposition)


def test_no_gradient_reaches_the_teacher_and_every_student_parameter_gets_one():
    method = make()
    part_teacher_from_student(method)
    method(batch())["loss"].backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    trained = {name: p for name, p in method.named_parameters() if not name.startswith("teacher.")}
    biases = ("encoder.patches", "encoder.norm", "projector.mlp.0", "projector.mlp.3")
    before_a_norm = {f"student.{name}.bias" for name in biases}
    silent = {name for name, p in trained.items() if not p.grad.abs().max() > 1e-6}
    assert silent <= before_a_norm  # batch norm takes a bias away


@pytest.mark.parametrize(
    ("without", "parts"),
    [
        ({"location_scale": None, "decomposition": None}, {"contrast"}),
        ({"decomposition": None}, {"contrast", "location_scale"}),
        ({"location_scale": None}, {"contrast", "decomposition"}),
    ],
)
def test_ablations_leave_out_their_losses_and_heads(without, parts):
    method = make(**without)
    losses = method(batch())
    assert set(losses) == {"loss", *parts}
    assert (method.location_head is None) == ("location_scale" not in parts)


def test_symmetric_contrast_swaps_what_student_and_teacher_see():
    data = batch()
    swapped = {"image": data["image"], "view": dict(data["view"])}
    swapped["view"]["student"], swapped["view"]["teacher"] = data["view"]["teacher"], data["view"]["student"]
    one, other = make()(data)["contrast"], make()(swapped)["contrast"]
    torch.testing.assert_close(make(symmetric=True)(data)["contrast"], (one + other) / 2)
    assert (one - other).abs() > 1e-4


def test_teacher_follows_parameters_after_the_step_and_keeps_statistics_of_its_own():
    method, data = make(), batch()
    method(data)
    norm, own = method.student.encoder.norm, method.teacher.network.encoder.norm
    views = data["view"]
    with torch.no_grad():
        patches = method.teacher.network.encoder.patches(views["teacher"])
    torch.testing.assert_close(own.running_mean, 0.1 * patches.mean((0, 2, 3)))  # one pass, of the patch alone
    assert norm.num_batches_tracked == 5 and own.num_batches_tracked == 1
    projectors = method.student.projector.mlp[1], method.teacher.network.projector.mlp[1]
    assert [int(norm.num_batches_tracked) for norm in projectors] == [5, 5]
    with torch.no_grad():
        method.student.encoder.patches.weight.add_(1.0)
    before, mean = method.teacher.network.encoder.patches.weight.clone(), own.running_mean.clone()
    method.update_teacher(0.99)
    torch.testing.assert_close(method.teacher.network.encoder.patches.weight, before + 0.01)
    assert torch.equal(own.running_mean, mean)


def test_evaluation_changes_nothing_and_gathers_nothing():
    def fail(_):
        raise AssertionError("gathered in evaluation, where all processes see the same batch")

    method = make(gather=fail).eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    with torch.no_grad():
        first, again = method(batch()), method(batch())
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(torch.equal(first[name], again[name]) for name in first)


def noise_with_place(seed) -> dict:
    """Patches and quarters of noise, brightened by their place alone: nothing of an image tells its quarters apart."""
    generator = torch.Generator().manual_seed(seed)
    images = {name: 0.3 * torch.randn(16, 1, SIDE, SIDE, generator=generator) for name in NAMES}
    half = SIDE // 2 - 1  # 6 pixels are the 3 cells of the smaller half
    for number, name in enumerate(QUARTERS):
        rows, cols = slice(half, None) if number > 1 else slice(half), slice(half, None) if number % 2 else slice(half)
        images[name] += number - 1.5
        images["teacher"][:, :, rows, cols] += number - 1.5
    return {"image": torch.zeros(16, 1, 1, 1), "view": images | {"targets": torch.zeros(16, 3)}}


@pytest.mark.parametrize("counted", [True, False])
def test_the_place_of_a_quarter_is_no_shortcut(counted):
    method = make(location_scale=None)
    if not counted:
        without_counters(method)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01)
    losses = []
    for seed in range(120):
        loss = method(noise_with_place(seed))["decomposition"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.update_teacher(0.9)
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 > 0.97 * math.log(4)  # chance; in one call of all four it falls below 0.7


def test_gathered_keys_are_contrasted_with():
    data, others = batch(), torch.randn(4, OUT)
    method = make(gather=lambda keys: torch.cat([others, keys]))
    z_s = unit(copy.deepcopy(method.student)(data["view"]["student"])[0])
    z_t = unit(copy.deepcopy(method.teacher)(data["view"]["teacher"])[0])
    logits = z_s @ torch.cat([unit(others), z_t]).T / 0.2
    expected = F.cross_entropy(logits, torch.arange(4, 4 + BATCH))
    torch.testing.assert_close(method(data)["contrast"], expected)


def test_a_trainable_teacher_and_a_missing_head_are_refused():
    for method in (make(), make_byol()):
        method.teacher.network.encoder.patches.weight.requires_grad_(True)
        with pytest.raises(ValueError, match=r"teacher's .*weight requires a gradient"):
            method(byol_batch() if isinstance(method, BYOL) else batch())
    with pytest.raises(ValueError, match="needs method#location_head"):
        make(location_head=None)


def test_projector_averages_the_map_and_its_norms_can_be_switched_off():
    projector = Projector(WIDTH, 8, OUT)
    assert [type(m) for m in projector.mlp] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d]
    assert projector.mlp[4].weight is None
    x = torch.randn(4, WIDTH, 3, 3)
    torch.testing.assert_close(projector(x), projector(x.mean((2, 3), keepdim=True)))
    alone = Projector(WIDTH, 8, OUT, batch_norm=False)
    torch.testing.assert_close(alone(x)[:1], alone(x[:1]))


def test_a_batch_of_one_is_refused_before_training():
    with pytest.raises(ValueError, match=r"batch_size x processes is 1: .*Set batch_size to 2 or more"):
        InBatchInfoNCE(0.2, global_batch=1)
    assert InBatchInfoNCE(0.2, global_batch=2).temperature == InBatchInfoNCE(0.2).temperature


def make_byol() -> BYOL:
    torch.manual_seed(0)
    return BYOL(PatchEncoder(), GivenViews(), Projector(WIDTH, 8, OUT), Predictor(OUT, 8), CosineRegression())


def byol_batch() -> dict:
    views = batch()["view"]
    return {"image": torch.zeros(BATCH, 1, 1, 1), "view": {"first": views["teacher"], "second": views["student"]}}


def test_byol_predicts_the_other_crop_both_ways_and_only_the_student_learns():
    method, data = make_byol(), byol_batch()
    part_teacher_from_student(method)
    twin = copy.deepcopy(method)
    images = torch.cat([data["view"]["first"], data["view"]["second"]])
    p = unit(twin.predictor(twin.student(images)[0]))
    t = unit(twin.teacher(images)[0])
    cross = (p * torch.cat([t[BATCH:], t[:BATCH]])).sum(1)
    loss = method(data)["loss"]
    torch.testing.assert_close(loss, 2 * (2 - 2 * cross).mean())
    loss.backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    assert method.predictor[0].weight.grad.abs().max() > 0
    assert method.student.encoder.patches.weight.grad.abs().max() > 0
    method.eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method(data)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
