"""A batch on its way to a device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from common.engines import whole_batch
from common.engines.batches import SMALL, in_one_copy
from common.sampling import seeded_loader


class Copies(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.number += func is torch.ops.aten._to_copy.default
        return func(*args, **(kwargs or {}))


@pytest.fixture
def batch():
    boxes = [{"box": torch.rand(4, 4), "flip": torch.tensor([True, False, True, True]), "turn": torch.rand(4)}] * 1
    many = {f"strength{number}": torch.rand(4, number) for number in range(20)}
    return {"image": torch.rand(4, 1, 80, 80), "view": [*boxes, many], "index": torch.arange(4), "source": ["a", "b"]}


def test_values_shapes_and_types_survive_one_copy_for_each_type():
    tensors = [
        torch.rand(3, 2).T,
        torch.arange(4),
        torch.tensor(2.5),
        torch.rand(0, 3),
        torch.tensor([True]),
        torch.ones(2),
    ]
    calls = []
    moved = in_one_copy(tensors, lambda flat: calls.append(flat.dtype) or flat.clone())
    assert calls == [torch.float32, torch.int64, torch.bool]
    for one, other in zip(tensors, moved, strict=True):
        assert torch.equal(one, other) and one.dtype == other.dtype
    assert in_one_copy([], None) == []


def test_small_tensors_go_together_and_large_ones_alone(batch):
    assert batch["image"].nbytes > SMALL
    with Copies() as copies:
        moved, _ = whole_batch(batch, "meta", non_blocking=True)
    assert copies.number == 4  # the image; float, bool and int
    assert moved["source"] == ["a", "b"] and moved["image"].is_meta
    for one, other in zip(batch["view"], moved["view"], strict=True):
        assert {name: (t.shape, t.dtype, True) for name, t in one.items()} == {
            name: (t.shape, t.dtype, t.is_meta) for name, t in other.items()
        }


def test_on_a_cpu_nothing_is_copied(batch):
    moved, _ = whole_batch(batch, "cpu")
    assert moved["image"] is batch["image"] and moved["view"][1]["strength3"] is batch["view"][1]["strength3"]


@pytest.mark.parametrize("gpu", [False, True])
def test_batches_lie_in_pinned_memory_where_there_is_a_gpu(monkeypatch, gpu):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert seeded_loader([0, 1], 1, seed=0).pin_memory is gpu
