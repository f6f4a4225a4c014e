"""Adam's step against MoCo's written out, and what must not move or flow."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bundles.cxr_adam.scripts.heads import MoCoProjectionHead
from bundles.cxr_adam.scripts.method import Adam
from common.losses import MemoryBank

SIDE, WIDTH, OUT, BANK = 4, 5, 3, 12


class NormedEncoder(nn.Module):
    """A linear map of the pixels and batch norm."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, WIDTH), nn.BatchNorm1d(WIDTH))

    def embed(self, images):
        return self.body(images)


class GivenCrops:
    """A view whose rendered crops lie in the parameters already."""

    def render(self, images, params):
        return params


def make(threshold=0.4, **options) -> Adam:
    torch.manual_seed(0)
    contrast = MemoryBank(OUT, BANK, threshold=threshold)
    return Adam(NormedEncoder(), GivenCrops(), MoCoProjectionHead(WIDTH, out_dim=OUT), contrast, **options)


def batch(seed=1, size=4) -> dict:
    generator = torch.Generator().manual_seed(seed)
    views = {name: torch.rand(size, 1, SIDE, SIDE, generator=generator) for name in ("query", "key")}
    return {"image": torch.zeros(size, 1, 1, 1), "view": views}


def state(method):
    return {name: value.clone() for name, value in method.state_dict().items()}


def changed(before, method):
    return {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}


def project(network, images):
    """Encoder, Linear, ReLU, Linear, unit length, by hand."""
    hidden = network.head[0](network.encoder.embed(images)).clamp(min=0)
    raw = hidden @ network.head[2].weight.T + network.head[2].bias
    return raw / raw.norm(dim=1, keepdim=True)


def moco(method, steps, momentum, rate):
    """MoCo in its own order: queries, move the key network, keys, loss, write the keys, step."""
    query_net, key_net = method.student, method.teacher.network
    bank, place, losses = method.contrast.bank.clone(), 0, []
    for step in range(steps):
        crops = batch(step)["view"]
        query = project(query_net, crops["query"])
        with torch.no_grad():
            for slow, fast in zip(key_net.parameters(), query_net.parameters(), strict=True):
                slow.mul_(momentum).add_(fast, alpha=1 - momentum)
            key = project(key_net, crops["key"])
        loss = torch.zeros(())
        for one, own in zip(query, key, strict=True):
            negatives = [one @ column for column in bank.T if (one @ column).item() < 0.4]
            logits = torch.stack([one @ own, *negatives]) / 0.2
            loss = loss - logits.log_softmax(0)[0] / len(query)
        query_net.zero_grad()
        loss.backward()
        bank[:, place : place + len(key)] = key.T
        place = (place + len(key)) % BANK
        with torch.no_grad():
            for parameter in query_net.parameters():
                parameter.sub_(rate * parameter.grad)
        losses.append(loss.item())
    return losses, bank


def test_five_steps_equal_moco_in_its_own_order():
    ours, theirs = make(), make()
    expected, bank = moco(theirs, 5, momentum=0.9, rate=0.5)
    found = []
    optimizer = torch.optim.SGD(ours.student.parameters(), lr=0.5)
    for step in range(5):
        losses = ours(batch(step))
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        ours.update_teacher(0.9)
        found.append(losses["loss"].item())
    assert found == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(ours.contrast.bank, bank, rtol=1e-3, atol=1e-5)
    assert ours.contrast.pointer == 5 * 4 % BANK
    # theirs moves the key network in the next step
    theirs.teacher.update(theirs.student, 0.9)
    for one, other in zip(ours.teacher.network.parameters(), theirs.teacher.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_both_networks_start_equal_and_only_the_query_network_learns():
    method = make()
    for one, other in zip(method.student.parameters(), method.teacher.network.parameters(), strict=True):
        assert torch.equal(one, other)
    method(batch())["loss"].backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    silent = {name for name, p in method.student.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert not silent - {"encoder.body.1.bias"}  # a bias before batch norm does nothing
    assert {name for name, _ in method.contrast.named_parameters()} == set()


def test_each_network_sees_its_own_crop():
    method = make(threshold=None)
    data = batch()
    with torch.no_grad():
        for parameter in method.teacher.network.head.parameters():
            parameter.mul_(-2.0)
    probe = copy.deepcopy(method)
    query, key = probe.student(data["view"]["query"]), probe.teacher(data["view"]["key"])
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ probe.contrast.bank], dim=1) / 0.2
    torch.testing.assert_close(method(data)["loss"], F.cross_entropy(logits, torch.zeros(4, dtype=torch.long)))
    torch.testing.assert_close(method.contrast.bank[:, :4], key.T)


def test_the_loss_is_taken_before_the_keys_enter_the_bank():
    method, data = make(threshold=None), batch()
    before = copy.deepcopy(method)
    with torch.no_grad():
        query, key = before.student(data["view"]["query"]), before.teacher(data["view"]["key"])
    found = method(data)["loss"]
    torch.testing.assert_close(found.detach(), before.contrast(query, key)[0])
    assert not torch.equal(method.contrast.bank, before.contrast.bank)


def test_evaluation_changes_nothing():
    method = make()
    method(batch())
    before = state(method)
    method.eval()
    with torch.no_grad():
        first, again = method(batch(2)), method(batch(2))
    assert not changed(before, method)
    assert torch.equal(first["loss"], again["loss"])
    method.train()
    method(batch(2))
    assert {"contrast.bank", "contrast.pointer"} < changed(before, method)


def test_the_key_network_keeps_batch_statistics_of_the_keys():
    method = make()
    data = batch()
    method(data)
    norm = method.teacher.network.encoder.body[2]
    pixels = method.teacher.network.encoder.body[:2](data["view"]["key"])
    torch.testing.assert_close(norm.running_mean, 0.1 * pixels.mean(0))
    before = norm.running_mean.clone()
    method.update_teacher(0.5)
    assert torch.equal(norm.running_mean, before)
    assert not torch.equal(norm.running_mean, method.student.encoder.body[2].running_mean)


def test_keys_of_all_processes_enter_the_bank():
    method = make(gather=lambda key: torch.cat([key, -key]))
    method(batch(size=3))
    assert method.contrast.pointer == 6
    assert torch.equal(method.contrast.bank[:, :3], -method.contrast.bank[:, 3:6])


def test_the_share_pruned_is_reported_and_not_differentiated():
    losses = make(threshold=-1.0)(batch())
    assert set(losses) == {"loss", "pruned"} and losses["pruned"] == 1 and losses["loss"] == 0
    assert not losses["pruned"].requires_grad
    assert make(threshold=None)(batch())["pruned"] == 0


def test_state_that_changes_the_next_step_is_in_the_state_dict():
    method = make()
    method(batch())
    method.update_teacher(0.5)
    twin = make()
    twin.load_state_dict(method.state_dict())
    torch.testing.assert_close(method(batch(3))["loss"], twin(batch(3))["loss"], rtol=0, atol=0)
    assert torch.equal(method.contrast.bank, twin.contrast.bank)


def test_the_query_network_is_transferred():
    method = make()
    assert method.transferred_encoder is method.student.encoder
