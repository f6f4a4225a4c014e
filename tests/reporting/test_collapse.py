"""A branch that teaches nothing is told, once each time."""

import logging

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from common.engines import Trainer
from common.images import SeededDataset
from common.losses import SelfDistillation
from common.reporting import TellCollapse
from common.sampling import SeededSampler


def told(caplog, shares, part="told_apart", iterations=51, accumulation_steps=1):
    """What is said of a training whose codes tell these shares, epoch by epoch."""
    values = iter([share for share in shares for _ in range(iterations)])
    network = nn.Linear(2, 1)

    def losses(outputs, _):
        return {"loss": outputs.mean(), part: torch.tensor(next(values))}

    data = SeededDataset([{"image": torch.ones(2), "label": torch.zeros(1)}] * 2 * iterations, [], seed=0)
    loader = DataLoader(data, batch_size=2, sampler=SeededSampler(len(data), seed=0, batch_size=2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with caplog.at_level(logging.INFO, "common.reporting.collapse"):
        handlers = [TellCollapse("global")]
        options = {"seed": 0, "train_handlers": handlers, "accumulation_steps": accumulation_steps}
        Trainer("cpu", len(shares), loader, network, optimizer, losses, **options).run()
    return [record.getMessage() for record in caplog.records if record.name == "common.reporting.collapse"]


def test_told_when_it_comes_there_and_not_again_until_it_has_left(caplog):
    lines = told(caplog, [0.0, 0.2, 0.004, 0.001, 0.0, 0.1, 0.002])
    assert [line.partition(":")[0] for line in lines] == ["epoch 3", "epoch 6", "epoch 7"]
    assert "codes of the global loss tell 0.004 of what they could" in lines[0]
    assert "tell their images apart (0.1)" in lines[1], "the reader of the warning hears that it has passed"
    assert "collapsed or has not begun" in lines[2]


def test_short_epochs_are_not_judged_within_fifty_batches(caplog):
    """The quickstart has seven batches an epoch: in its third a random teacher is no collapse."""
    lines = told(caplog, [0.0] * 8 + [0.2], iterations=7)
    assert [line.partition(":")[0] for line in lines] == ["epoch 8", "epoch 9"], "its 56th batch is the first to tell"
    caplog.clear()
    assert not told(caplog, [0.0] * 8, iterations=7, accumulation_steps=2), "28 steps of the optimiser"


def test_the_first_epoch_and_other_parts_are_not_judged(caplog):
    assert not told(caplog, [0.0, 0.01])
    assert not told(caplog, [0.0, 0.0], part="composition")


def test_what_codes_tell_of_images():
    """By hand: 1 for a code of one's own, 0 for one code or all alike, and a half where two images share each code."""
    loss = SelfDistillation(out_dim=8)
    own = torch.eye(8)[:4] * 100
    assert loss.told_apart(own).item() == pytest.approx(1)
    assert loss.told_apart(torch.zeros(4, 8)).item() == pytest.approx(0, abs=1e-6)
    assert loss.told_apart(own[:1].expand(4, -1)).item() == pytest.approx(0, abs=1e-6)
    assert loss.told_apart(own[[0, 0, 1, 1]]).item() == pytest.approx(0.5), "log 2 of log 4"
    assert loss.told_apart(own[:1]).item() == 0, "one image is told from no other"


def test_a_lagging_centre_hides_that_all_images_have_one_code():
    """The drift of all codes towards one is a sharp target that tells nothing: its loss may be low, its share is 0."""
    loss = SelfDistillation(out_dim=8)
    drifted = torch.zeros(4, 8)
    drifted[:, 3] = 0.5  # of every image, and not yet in the centre
    student = drifted * 10
    assert loss(student, student, drifted, drifted).item() < 0.01
    assert loss.told_apart(drifted).item() == pytest.approx(0, abs=1e-6)
    loss.update_centre(drifted / 0.1)  # a tenth of it moves the centre to the drift
    assert loss._target(drifted).std() < 1e-3
