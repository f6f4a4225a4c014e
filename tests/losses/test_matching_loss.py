"""The matching loss pair by pair, its gradients, and its cost as the batch grows."""

import math

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from common.losses import MatchingLoss

T, S, E = 6, 8, 5
NORMALISATIONS = ("sigmoid", "softmax")


def inputs(batch=3, requires_grad=False):
    generator = torch.Generator().manual_seed(0)
    teacher = torch.nn.functional.normalize(torch.randn(batch, T, E, generator=generator), dim=2)
    student = 0.3 * torch.randn(batch, S, E, generator=generator)
    targets = torch.rand(batch, T, S, generator=generator) * (torch.rand(batch, T, S, generator=generator) < 0.3)
    targets[:, 1] = 0
    targets[:, 0, 0] = 1
    return teacher.requires_grad_(requires_grad), student.requires_grad_(requires_grad), targets


def logit(teacher, student):
    return sum(t * s for t, s in zip(teacher.tolist(), student.tolist(), strict=True)) / 0.07


def test_sigmoid_is_the_weighted_cross_entropy_of_every_pair():
    teacher, student, targets = inputs()
    total = 0.0
    for b in range(3):
        for t in range(T):
            for s in range(S):
                target = targets[b, t, s].item()
                chance = 1 / (1 + math.exp(-logit(teacher[b, t], student[b, s])))
                entropy = -target * math.log(chance) - (1 - target) * math.log(1 - chance)
                total += (0.99 * target + 0.01 * (1 - target)) * entropy
    out = MatchingLoss(balance=0.99)(teacher, student, targets)
    assert out.item() == pytest.approx(total / (3 * T * S), rel=1e-5)


def test_softmax_is_the_cross_entropy_of_the_tokens_that_have_a_match():
    teacher, student, targets = inputs()
    rows = []
    for b in range(3):
        for t in range(T):
            mass = targets[b, t].sum().item()
            if mass == 0:
                continue
            exponentials = [math.exp(logit(teacher[b, t], student[b, s])) for s in range(S)]
            matching = [e / sum(exponentials) for e in exponentials]
            rows.append(-sum(targets[b, t, s].item() / mass * math.log(matching[s]) for s in range(S)))
    assert len(rows) < 3 * T
    out = MatchingLoss(normalisation="softmax")(teacher, student, targets)
    assert out.item() == pytest.approx(sum(rows) / len(rows), rel=1e-5)


def test_softmax_does_not_depend_on_the_scale_of_targets_nor_on_unmatched_tokens():
    loss = MatchingLoss(normalisation="softmax")
    teacher, student, targets = inputs()
    out = loss(teacher, student, targets)
    torch.testing.assert_close(loss(teacher, student, targets * 0.2), out)
    more = torch.cat([teacher, teacher], dim=1), torch.cat([targets, torch.zeros_like(targets)], dim=1)
    torch.testing.assert_close(loss(more[0], student, more[1]), out)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_gradient_reaches_the_student_only(normalisation):
    teacher, student, targets = inputs(requires_grad=True)
    MatchingLoss(normalisation=normalisation)(teacher, student, targets).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_sigmoid_pushes_non_matching_pairs_apart():
    teacher, student, targets = inputs(requires_grad=True)
    MatchingLoss(balance=0.5)(teacher, student, torch.zeros_like(targets)).backward()
    step = student.detach() - 0.1 * student.grad
    before, after = (torch.bmm(teacher, s.transpose(1, 2)).mean() for s in (student, step))
    assert after < before


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_images_do_not_meet_and_tokens_keep_their_order(normalisation):
    loss = MatchingLoss(normalisation=normalisation)
    teacher, student, targets = inputs(2)
    alone = [loss(teacher[i : i + 1], student[i : i + 1], targets[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(loss(teacher, student, targets), torch.stack(alone).mean())
    shuffled = torch.randperm(S)
    torch.testing.assert_close(loss(teacher, student[:, shuffled], targets[:, :, shuffled]), torch.stack(alone).mean())


class Ledger(TorchDispatchMode):
    """Counts operations and the largest tensor any of them makes."""

    def __init__(self):
        super().__init__()
        self.operations, self.largest = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        tensors = out if isinstance(out, tuple | list) else (out,)
        self.largest = max([self.largest, *(t.numel() for t in tensors if isinstance(t, torch.Tensor))])
        return out


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_cost_is_linear_in_the_batch_without_a_loop_over_images(normalisation):
    loss, operations, kept = MatchingLoss(normalisation=normalisation), [], []
    for batch in (1, 2, 4):
        tensors, ledger, saved = inputs(batch, requires_grad=True), Ledger(), []
        with ledger, saved_tensors_hooks(lambda t, saved=saved: saved.append(t.numel()) or t, lambda t: t):
            loss(*tensors).backward()
        assert ledger.largest == batch * T * S
        operations.append(ledger.operations)
        kept.append(sum(saved))
    assert operations[0] == operations[1] == operations[2]
    assert kept[2] - kept[1] == 2 * (kept[1] - kept[0])
    assert kept[2] <= 4 * kept[0]


def test_half_precision_tokens_give_a_single_precision_loss():
    teacher, student, targets = inputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = MatchingLoss()(teacher, student, targets)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, MatchingLoss()(teacher, student, targets))


@pytest.mark.parametrize("options", [{"temperature": 0}, {"balance": 1.5}, {"normalisation": "none"}])
def test_bad_settings_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MatchingLoss(**options)
