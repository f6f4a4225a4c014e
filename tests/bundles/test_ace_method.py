"""ACE's step against a loop-free-of-cleverness reimplementation, and the gradients that must not flow."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bundles.cxr_ace.scripts.heads import DenseHead
from bundles.cxr_ace.scripts.method import ACE
from common.losses import MatchingLoss, SelfDistillation

TOKENS, CELL, CODES, WIDTH = 4, 2, 7, 6


class PatchEncoder(nn.Module):
    """One linear map per patch, so that tests can follow every number."""

    embed_dim = WIDTH

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, CELL, stride=CELL)

    def encode(self, images):
        tokens = self.patches(images)
        return tokens.mean((2, 3)), tokens


class GivenCrops:
    """A view whose rendered crops lie in the parameters already."""

    tokens = TOKENS

    def render(self, images, params):
        return {"fine": params["fine"], "coarse": params["coarse"]}


class Head(nn.Linear):
    """A global head without hidden layers."""


def make(**options) -> ACE:
    torch.manual_seed(0)
    defaults = {
        "encoder": PatchEncoder(),
        "view": GivenCrops(),
        "global_head": Head(WIDTH, CODES),
        "global_loss": SelfDistillation(out_dim=CODES),
        "dense_head": DenseHead(WIDTH, layers=1),
        "composition": MatchingLoss(balance=0.9),
        "decomposition": MatchingLoss(balance=0.99),
    }
    return ACE(**(defaults | options))


def batch(size: int = 3) -> dict:
    generator = torch.Generator().manual_seed(1)
    side = TOKENS * CELL
    return {
        "image": torch.zeros(size, 1, 1, 1),
        "view": {
            "fine": torch.rand(size, 1, side, side, generator=generator),
            "coarse": torch.rand(size, 1, side, side, generator=generator),
            "coarse_origin": torch.tensor([[0, 1], [1, 0], [0, 0]])[:size],
            "fine_origin": torch.tensor([[2, 3], [1, 4], [0, 2]])[:size],
        },
    }


def expected_local(teacher, predicted, fine_origin, coarse_origin, *, compose: bool, balance: float) -> float:
    """The matching loss of one image entry by entry, from pixel geometry: cells of the image, not tokens."""
    side = TOKENS // 2 if compose else 2 * TOKENS
    radius = 1 if compose else 2
    total = 0.0
    for t in range(TOKENS * TOKENS):
        row, col = divmod(t, TOKENS)
        if compose:  # a coarse teacher token starts at this cell of the image ...
            cell = (coarse_origin[0] + 2 * row, coarse_origin[1] + 2 * col)
            # ... and the composed map of the fine crop has blocks of two cells
            centre = ((cell[0] - fine_origin[0]) / 2, (cell[1] - fine_origin[1]) / 2)
            inside = all(0 <= c <= side - 1 and c == int(c) for c in centre)
        else:
            cell = (fine_origin[0] + row, fine_origin[1] + col)
            centre = (cell[0] - coarse_origin[0], cell[1] - coarse_origin[1])
            inside = all(0 <= c <= side - 1 for c in centre)
        for s in range(side * side):
            dy, dx = divmod(s, side)
            near = inside and abs(dy - centre[0]) <= radius and abs(dx - centre[1]) <= radius
            target = math.exp(-((dy - centre[0]) ** 2 + (dx - centre[1]) ** 2) / 2) if near else 0.0
            logit = (teacher[t] @ predicted[s]).item() / 0.07
            bce = max(logit, 0) - logit * target + math.log1p(math.exp(-abs(logit)))
            total += (balance * target + (1 - balance) * (1 - target)) * bce
    return total / (TOKENS * TOKENS * side * side)


def part_teacher_from_student(method: ACE) -> None:
    """A teacher equal to its student would hide an exchange of the two."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))


def test_step_equals_the_definition_entry_by_entry():
    method, data = make(dense_head=None), batch()
    part_teacher_from_student(method)
    params = data["view"]
    losses = method(data)
    student, teacher = method.student, method.teacher.network
    composition, decomposition, global_loss = [], [], []
    for b in range(3):
        origins = params["fine_origin"][b].tolist(), params["coarse_origin"][b].tolist()
        maps = {}
        for name in ("fine", "coarse"):
            image = params[name][b : b + 1]
            maps[name] = student.encoder.encode(image)[1], teacher.encoder.encode(image)[1]
        unit = {name: F.normalize(pair[1], dim=1)[0].flatten(1).T for name, pair in maps.items()}
        composed = method.composer(maps["fine"][0])[0]
        decomposed = method.decomposer(maps["coarse"][0])[0]
        composition.append(expected_local(unit["coarse"], composed, *origins, compose=True, balance=0.9))
        decomposition.append(expected_local(unit["fine"], decomposed, *origins, compose=False, balance=0.99))

        seen = {"fine": [], "coarse": []}
        for row in range(TOKENS):
            for col in range(TOKENS):
                at = (origins[0][0] + row, origins[0][1] + col)
                if all(o <= a < o + 2 * TOKENS for a, o in zip(at, origins[1], strict=True)):
                    seen["fine"].append((row, col))
                at = (origins[1][0] + 2 * row, origins[1][1] + 2 * col)
                if all(o <= a < o + TOKENS for a, o in zip(at, origins[0], strict=True)):
                    seen["coarse"].append((row, col))
        codes = {}
        for name, places in seen.items():
            means = [torch.stack([tokens[0, :, r, c] for r, c in places]).mean(0) for tokens in maps[name]]
            codes[name] = student.global_head(means[0]), teacher.global_head(means[1])
        cross = 0.0
        for mine, other in (("fine", "coarse"), ("coarse", "fine")):
            target = (codes[other][1] / 0.04).softmax(-1)
            cross += -(target * (codes[mine][0] / 0.1).log_softmax(-1)).sum().item() / 2
        global_loss.append(cross)
    assert losses["composition"].item() == pytest.approx(sum(composition) / 3, rel=1e-4)
    assert losses["decomposition"].item() == pytest.approx(sum(decomposition) / 3, rel=1e-4)
    assert losses["global"].item() == pytest.approx(sum(global_loss) / 3, rel=1e-4)
    total = 0.1 * losses["global"] + (losses["composition"] + losses["decomposition"]) / 2
    torch.testing.assert_close(losses["loss"], total)


def test_no_gradient_reaches_the_teacher_and_every_student_parameter_gets_one():
    method = make()
    method(batch())["loss"].backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    trained = {name: p for name, p in method.named_parameters() if not name.startswith("teacher.")}
    assert all(p.grad is not None for p in trained.values())
    silent = {name for name, p in trained.items() if not p.grad.abs().sum() > 0}
    # A convolution's bias before nothing but a linear map keeps its gradient; nothing may be cut off.
    assert not silent


def test_centre_follows_the_teacher_codes_of_both_crops_in_training_only():
    method, data = make(), batch()
    part_teacher_from_student(method)
    images = torch.cat([data["view"]["fine"], data["view"]["coarse"]])
    codes = method.teacher(images, method._overlap(data["view"]))[0]
    method(data)
    torch.testing.assert_close(method.global_loss.centre.flatten(), 0.1 * codes.mean(0))
    before = method.global_loss.centre.clone()
    method.eval()
    method(data)
    assert torch.equal(method.global_loss.centre, before)


def test_update_moves_teacher_to_the_student_after_the_step():
    method = make()
    with torch.no_grad():
        method.student.encoder.patches.weight.add_(1.0)
    before = method.teacher.network.encoder.patches.weight.clone()
    method.update_teacher(0.75)
    torch.testing.assert_close(method.teacher.network.encoder.patches.weight, before + 0.25)


def test_ablations_leave_out_their_losses_and_modules():
    global_only = make(composition=None, decomposition=None, dense_head=None, global_weight=1.0)
    losses = global_only(batch())
    assert set(losses) == {"loss", "told_apart", "global"}
    torch.testing.assert_close(losses["loss"], losses["global"])
    assert global_only.composer is None and global_only.decomposer is None
    composition_only = make(decomposition=None)(batch())
    torch.testing.assert_close(
        composition_only["loss"], 0.1 * composition_only["global"] + composition_only["composition"]
    )


def test_the_embedding_serves_where_only_the_overlap_is_not_asked_for():
    method, data = make(overlap_only=False), batch()
    fine = data["view"]["fine"]
    codes = method.student(fine, None)[0]
    torch.testing.assert_close(codes, method.student.global_head(method.student.encoder.encode(fine)[0]))


def test_state_that_changes_the_next_step_is_in_the_state_dict():
    method, data = make(), batch()
    method(data)
    method.update_teacher(0.5)
    twin = make()
    twin.load_state_dict(method.state_dict())
    torch.testing.assert_close(method(data)["loss"], twin(data)["loss"], rtol=0, atol=0)
