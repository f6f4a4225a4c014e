"""A copy of a state is written as the state would be, and stays what it was."""

import io
from collections import OrderedDict

import pytest
import torch
from toy_bundle.scripts.toy import Method

from common.engines import parameter_groups, snapshot


def written(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def trained():
    torch.manual_seed(0)
    network = Method()
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=0.01)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    return network, optimizer


def entangled():
    """States of a network and an optimiser, tensors over the same memory, and plain values of every kind."""
    network, optimizer = trained()
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "tied": OrderedDict(a=base, b=base, row=base[1], turned=base.t()[2:, 1::2]),
        "odd": [torch.tensor(3), torch.empty(0, 2), torch.tensor([True]), torch.zeros(2, dtype=torch.bfloat16)],
        "expanded": torch.tensor([1.5]).expand(3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": {"text": "a", "none": None, "tuple": (1, 2.5, [True]), "list": [{"deep": [1]}]},
    }


@pytest.fixture(params=["here", "elsewhere"])
def place(request, monkeypatch):
    """Tensors of the CPU, and the same ones copied as those of a GPU are."""
    if request.param == "elsewhere":
        monkeypatch.setattr(
            snapshot, "_is_elsewhere", lambda tensor: type(tensor) is torch.Tensor and not tensor.requires_grad
        )
    return request.param


def test_the_file_of_a_copy_is_that_of_the_original(place):
    content = entangled()
    assert written(snapshot.snapshot(content)) == written(content)


def test_nothing_that_training_changes_reaches_the_copy(place):
    content = entangled()
    before, copied = written(content), snapshot.snapshot(content)
    for tensor in snapshot.tensors(content):
        tensor.untyped_storage().fill_(7)
    content["plain"]["list"][0]["deep"].append(2)
    content["optimizer"]["param_groups"][0]["lr"] = 7.0
    content["network"].popitem()
    assert written(content) != before == written(copied)


def test_memory_that_tensors_share_is_copied_once(place):
    copied = snapshot.snapshot(entangled())["tied"]
    copied["a"].fill_(-1)
    assert all(bool((copied[name] == -1).all()) for name in ("b", "row", "turned"))
    assert len({tensor.untyped_storage().data_ptr() for tensor in copied.values()}) == 1


def test_tensors_of_the_cpu_are_not_taken_for_those_of_a_device():
    assert not any(map(snapshot._is_elsewhere, snapshot.tensors(entangled())))
    assert snapshot._is_elsewhere(torch.empty(2, device="meta"))
