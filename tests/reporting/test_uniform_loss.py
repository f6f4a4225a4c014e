"""A branch that has gone uniform is told, once each time."""

import logging
import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from common.engines import Trainer
from common.images import SeededDataset
from common.losses import MultiCropDistillation, SelfDistillation
from common.reporting import TellUniform
from common.sampling import SeededSampler

CODES = 16


def told(caplog, shares, name="global", iterations=2):
    """Epochs that are told of a training whose loss is these shares of the uniform one."""
    uniform = math.log(CODES)
    values = iter([share * uniform for share in shares for _ in range(iterations)])
    network = nn.Linear(2, 1)

    def losses(outputs, _):
        return {"loss": outputs.mean(), name: torch.tensor(next(values))}

    data = SeededDataset([{"image": torch.ones(2), "label": torch.zeros(1)}] * 2 * iterations, [], seed=0)
    loader = DataLoader(data, batch_size=2, sampler=SeededSampler(len(data), seed=0, batch_size=2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    handlers = [TellUniform("global", uniform)]
    with caplog.at_level(logging.WARNING, "common.reporting.uniform_loss"):
        Trainer("cpu", len(shares), loader, network, optimizer, losses, seed=0, train_handlers=handlers).run()
    return [record.getMessage() for record in caplog.records if "equally likely" in record.getMessage()]


def test_told_when_it_comes_there_and_not_again_until_it_has_left(caplog):
    lines = told(caplog, [1.0, 0.8, 0.98, 0.99, 1.0, 0.7, 0.975])
    assert [line.partition(":")[0] for line in lines] == ["epoch 3", "epoch 7"]
    assert f"the global loss is 2.72 of {math.log(CODES):.3g}" in lines[0]


def test_the_first_epoch_and_other_losses_are_not_judged(caplog):
    assert not told(caplog, [1.0, 0.96])
    assert not told(caplog, [1.0, 1.0], name="composition")


@pytest.mark.parametrize("loss", [SelfDistillation, MultiCropDistillation])
def test_the_value_of_codes_that_say_nothing(loss):
    made, same = loss(out_dim=CODES), torch.zeros(2, 3, CODES)
    value = made(*same, *same) if loss is SelfDistillation else made(same, same)
    assert made.uniform == pytest.approx(value.item())
