"""The memory bank and the pruner against a loop over anchors with PyTorch's own cross-entropy."""

import math

import pytest
import torch
import torch.nn.functional as F

from common.losses import MemoryBank, memory_bank
from common.losses.memory_bank import LOWEST_TEMPERATURE, keys_at_a_time

TEMPERATURE = 0.2
CACHE = 100  # cosines


@pytest.fixture
def small_pieces(monkeypatch):
    """A cache that holds a few keys, so that banks of tests are read in several pieces, the last one smaller."""
    monkeypatch.setitem(memory_bank.COSINES, "cpu", CACHE)


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=1)


def per_anchor(query, key, bank, threshold, temperature=TEMPERATURE):
    """Loss and share pruned, one anchor at a time."""
    losses, pruned = [], 0
    for one, own in zip(query, key, strict=True):
        cosines = one @ bank
        kept = cosines if threshold is None else cosines[cosines < threshold]
        pruned += len(cosines) - len(kept)
        logits = torch.cat([(one @ own)[None], kept]) / temperature
        losses.append(F.cross_entropy(logits[None], torch.tensor([0])))
    return torch.stack(losses).mean(), pruned / (len(query) * bank.shape[1])


@pytest.mark.parametrize("threshold", [None, 0.8, 0.3, -0.5])
@pytest.mark.parametrize("size", [7, 203])
def test_loss_and_gradient_equal_a_loop_over_anchors(threshold, size, small_pieces):
    query, key = unit(5, 3).requires_grad_(), unit(5, 3, seed=1).requires_grad_()
    torch.manual_seed(0)  # of the bank, of which 0.8 must prune something
    contrast = MemoryBank(3, size, TEMPERATURE, threshold)
    loss, pruned = contrast(query, key)
    (2 * loss).backward()
    other = query.detach().clone().requires_grad_()
    expected, share = per_anchor(other, key.detach(), contrast.bank, threshold)
    (2 * expected).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(query.grad, other.grad)
    assert pruned.item() == pytest.approx(share, abs=1e-6)
    assert (threshold is None) == (share == 0)
    assert key.grad is None and not pruned.requires_grad


@pytest.mark.parametrize("order", [1, -1])
def test_a_higher_cosine_in_a_later_piece_of_the_bank_loses_nothing_of_the_earlier_ones(order, small_pieces):
    query = torch.tensor([[1.0, 0.0]], requires_grad=True)
    contrast = given((torch.linspace(-0.99, 0.99, 2 * CACHE) * order).tolist(), threshold=0.9)
    expected, _ = per_anchor(query, query.detach(), contrast.bank, 0.9)
    loss, _ = contrast(query, query)
    torch.testing.assert_close(loss, expected)
    slope, other = (torch.autograd.grad(value, query)[0] for value in (loss, expected))
    torch.testing.assert_close(slope, other)


@pytest.mark.parametrize(
    ("queries", "keys", "device", "expected"),
    [
        (256, 65536, "cpu", 1024),
        (32, 4096, "cpu", 4096),  # never more than there are
        (256, 65536, "meta", 1024),  # any other device as a CPU
        (2**20, 4096, "cpu", 1),  # however many the queries
    ],
)
def test_the_fewer_the_queries_the_more_keys_at_a_time(queries, keys, device, expected):
    query, bank = torch.empty(queries, 1, device=device), torch.empty(1, keys, device=device)
    assert keys_at_a_time(query, bank) == expected


@pytest.mark.parametrize("cosine", [-1.0, 0.0, 1.0])
def test_the_lowest_temperature_neither_overflows_nor_underflows(cosine):
    query = torch.tensor([[1.0, 0.0]], requires_grad=True)
    contrast = given([cosine] * 5000, None, LOWEST_TEMPERATURE)
    own = torch.tensor([[cosine, math.sqrt(1 - cosine**2)]])
    loss, _ = contrast(query, own)
    torch.testing.assert_close(loss, torch.tensor(5001.0).log())
    assert torch.autograd.grad(loss, query)[0].isfinite().all()


def given(cosines, threshold, temperature=TEMPERATURE):
    """A bank whose columns have these cosines with the query (1, 0)."""
    contrast = MemoryBank(2, len(cosines), temperature, threshold)
    contrast.bank.copy_(torch.stack([torch.tensor([c, math.sqrt(1 - c * c)]) for c in cosines], dim=1))
    return contrast


def test_equal_to_the_threshold_is_pruned_and_just_below_is_kept():
    query = torch.tensor([[1.0, 0.0]])
    below = torch.nextafter(torch.tensor(0.75), torch.tensor(0.0)).item()
    contrast = given([0.75, below, 0.5, 0.9], threshold=0.75)
    loss, pruned = contrast(query, query)
    assert pruned.item() == 0.5
    kept = torch.tensor([1.0, below, 0.5]) / TEMPERATURE
    torch.testing.assert_close(loss, -kept.log_softmax(0)[0])


def test_cosines_are_compared_before_the_temperature_divides_them():
    query = torch.tensor([[1.0, 0.0]])
    _, pruned = given([0.1, 0.3, 0.7, 0.79], threshold=0.8)(query, query)  # 0.5, 1.5, 3.5, 3.95 after it
    assert pruned.item() == 0


def test_an_anchor_without_negatives_has_loss_and_gradient_zero():
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    contrast = given([1.0, 0.9, 0.95], threshold=0.8)  # all pruned for the first anchor, none for the second
    loss, pruned = contrast(query, query.detach())
    loss.backward()
    assert pruned.item() == 0.5
    assert torch.equal(query.grad[0], torch.zeros(2)) and query.grad[1].abs().sum() > 0
    all_gone, _ = contrast(query[:1], query[:1])
    assert all_gone.item() == 0


def test_pruning_changes_no_anchor_s_view_but_its_own_and_not_the_bank():
    contrast = given([0.9, 0.1, 0.2, 0.3], threshold=0.8)
    before = contrast.bank.clone()
    far = torch.tensor([[0.0, 1.0]])
    alone = contrast(far, far)[0]
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    both = contrast(query, query)[0]
    torch.testing.assert_close(2 * both - contrast(query[:1], query[:1])[0], alone)
    assert torch.equal(contrast.bank, before)


def test_the_bank_may_be_written_before_the_backward_pass():
    query, key = unit(4, 3).requires_grad_(), unit(4, 3, seed=1)
    contrast = MemoryBank(3, 8, TEMPERATURE, 0.8)
    expected = torch.autograd.grad(contrast(query, key)[0], query)[0]
    loss, _ = contrast(query, key)
    contrast.enqueue(key)
    assert torch.equal(torch.autograd.grad(loss, query)[0], expected)


def test_keys_replace_the_oldest_columns_in_order():
    contrast = MemoryBank(2, 6)
    start = contrast.bank.clone()
    keys = [torch.full((2, 2), float(number)) + torch.tensor([[0.0], [0.5]]) for number in range(1, 6)]
    contrast.enqueue(keys[0])
    assert torch.equal(contrast.bank[:, 2:], start[:, 2:]) and contrast.pointer == 2
    for written, key in enumerate(keys[1:], start=2):
        contrast.enqueue(key)
        assert contrast.pointer == 2 * written % 6  # after the third at the beginning, where MoCo's code has it too
    assert contrast.bank[0].tolist() == [4.0, 4.5, 5.0, 5.5, 3.0, 3.5]


def test_keys_of_all_processes_enter_in_their_order():
    contrast = MemoryBank(2, 6)
    contrast.enqueue(torch.ones(1, 2), gather=lambda key: torch.cat([2 * key, key, 3 * key]))
    assert contrast.bank[:, :3].tolist() == [[2, 1, 3], [2, 1, 3]] and contrast.pointer == 3


def test_the_bank_starts_as_different_unit_columns_and_travels_with_the_state():
    torch.manual_seed(0)
    contrast = MemoryBank(16, 100)
    torch.testing.assert_close(contrast.bank.norm(dim=0), torch.ones(100))
    cosines = contrast.bank.T @ contrast.bank - torch.eye(100)
    assert cosines.abs().max() < 0.95 and cosines.abs().mean() < 0.3
    contrast.enqueue(unit(10, 16))
    twin = MemoryBank(16, 100)
    twin.load_state_dict(contrast.state_dict())
    assert torch.equal(twin.bank, contrast.bank) and twin.pointer == 10


def test_mixed_precision_does_not_blur_the_threshold():
    query, key = unit(6, 16), unit(6, 16, seed=1)
    contrast = MemoryBank(16, 500, threshold=0.3)
    expected = contrast(query, key)
    with torch.autocast("cpu", torch.bfloat16):
        found = contrast(query, key)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.005}, "temperature is 0.005; expected 0.02 or more"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"global_batch": 128}, "holds 64 keys and each step writes 128, more than it holds.*such as 128"),
        ({"global_batch": 24}, "24, which does not divide it.*multiple of batch_size x processes, such as 72"),
    ],
)
def test_what_cannot_work_is_refused_before_training(options, message):
    with pytest.raises(ValueError, match=message):
        MemoryBank(4, 64, **options)


def test_a_batch_that_does_not_divide_the_bank_is_refused_in_training_too():
    with pytest.raises(ValueError, match="does not divide"):
        MemoryBank(4, 64).enqueue(torch.ones(5, 4))


def test_a_gradient_stays_zero_where_denormals_are_flushed():
    query = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    contrast = given([1.0, 0.9, 0.95], threshold=0.8)  # nothing is left for the first anchor
    torch.set_flush_denormal(True)
    try:
        (slope,) = torch.autograd.grad(contrast(query, query.detach())[0], query)
    finally:
        torch.set_flush_denormal(False)
    assert torch.equal(slope[0], torch.zeros(2)) and slope[1].isfinite().all() and slope[1].any()


@pytest.mark.parametrize(("first", "then"), [(2, 4), (6, 4), (3, 12), (2, 12)])
def test_a_run_goes_on_with_another_batch_and_still_replaces_the_oldest(first, then):
    """A checkpoint's pointer may stand where no batch of the new size would end."""
    before, ring = MemoryBank(1, 12), [0.0] * 12
    before.bank.zero_()
    number, place = 0, 0

    def write(contrast, count):
        nonlocal number, place
        keys = torch.arange(number + 1.0, number + count + 1)
        contrast.enqueue(keys[:, None])
        for key in keys.tolist():
            ring[place] = key
            place = (place + 1) % 12
        number += count
        assert contrast.bank[0].tolist() == ring and int(contrast.pointer) == place

    write(before, first)
    contrast = MemoryBank(1, 12, global_batch=then)
    contrast.load_state_dict(before.state_dict())
    for _ in range(5):
        write(contrast, then)
