import logging
import re

import pytest
import torch
from ignite.metrics import Metric
from monai.engines import SupervisedEvaluator
from monai.handlers import ValidationHandler, from_engine
from torch import nn
from torch.utils.data import DataLoader

from common.command import Stage
from common.engines import Checkpoints, Trainer
from common.images import SeededDataset
from common.launcher.course import unfinished
from common.records.data_used import DataUsed
from common.reporting import Progress
from common.reporting.data_note import DataNote
from common.reporting.durations import about, clock, pace_of
from common.sampling import SeededSampler

VALUES = [0.5, 0.25, 0.75]  # of three evaluations


class Scripted(Metric):
    """A metric whose values are known."""

    def __init__(self, values):
        self.values = iter(values)
        super().__init__(output_transform=from_engine(["pred", "label"]))

    def reset(self):
        pass

    def update(self, output):
        pass

    def compute(self):
        return next(self.values)


@pytest.fixture
def train(tmp_path, caplog):
    """Train three epochs of two batches and return the lines that a person reads."""

    def run(values=VALUES, at_start=False, epochs=3):
        caplog.set_level(logging.INFO, logger="common")
        data = SeededDataset([{"image": torch.ones(2), "label": torch.zeros(1)}] * 4, [], seed=0)
        loader = DataLoader(data, batch_size=2, sampler=SeededSampler(4, seed=0, batch_size=2))
        network = nn.Linear(2, 1)
        nn.init.zeros_(network.weight)
        nn.init.constant_(network.bias, 2.0)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0)  # the loss stays 4
        saves = Checkpoints(tmp_path / "checkpoints", network, optimizer, keep_best=True)
        evaluator = SupervisedEvaluator(
            "cpu", DataLoader(data, 2), network, key_val_metric={"dice": Scripted(values)}, val_handlers=[saves]
        )
        handlers = [
            ValidationHandler(1, evaluator, exec_at_start=at_start),
            Progress(str(tmp_path), evaluator, saves),
            saves,
        ]
        trainer = Trainer(
            "cpu", epochs, loader, network, optimizer, nn.functional.mse_loss, train_handlers=handlers, seed=0
        )
        caplog.clear()
        trainer.run()
        return [record.getMessage() for record in caplog.records if record.name == "common.reporting.progress"]

    return run


def test_a_line_an_epoch(train):
    first, second, third, block = train()
    rest = r"  [\d.,]+ img/s  0:00"
    assert re.fullmatch(rf"epoch 1/3  loss 4  dice 0\.5 \(best\){rest}  0 s left", first)
    assert re.fullmatch(rf"epoch 2/3  loss 4  dice 0\.25{rest}  0 s left", second)
    assert re.fullmatch(rf"epoch 3/3  loss 4  dice 0\.75 \(best\){rest}", third)
    assert "3 of 3 epochs in 0:00" in block and re.search(r"best +dice 0\.7500 at epoch 3", block)


def test_the_launcher_reads_the_course_of_a_run_from_these_lines(train, tmp_path):
    first, second, _, block = train()
    log = tmp_path / "train.log"
    for said, course in (([first], "interrupted at epoch 2 of 3"), ([first, second, block], "")):
        log.write_text("".join(f"- common.reporting.progress - INFO - {line}\n" for line in said))
        assert unfinished(tmp_path) == course


def test_before_training(train):
    lines = train(values=[0.1, *VALUES], at_start=True)
    assert lines[0] == "epoch 0/3  dice 0.1 (best)  before training"


def test_a_start_that_no_epoch_beats_is_said(train):
    block = train(values=[0.9, *VALUES], at_start=True)[-1]
    assert re.search(r"best +dice 0\.9000 at epoch 0, before training: no epoch was better", block)
    assert "before training" not in train(values=[0.95], epochs=4)[-1]


@pytest.mark.parametrize(("images", "told"), [([4, 5], True), ([4, 6], False), ([], False)])
def test_few_judges_are_told(train, tmp_path, images, told):
    used = [DataUsed(f"source{number}", "val", count, count) for number, count in enumerate(images)]
    DataNote(tmp_path).write([DataUsed("source", "train", 9, 9)], used, goes_on=False)
    assert ("judged by fewer than 10 images" in train()[-1]) == told


def test_the_best_is_known_after_a_resume(train):
    train(values=[0.9, 0.1, 0.1])
    line, block = train(values=[0.8], epochs=4)
    assert line.startswith("epoch 4/4") and "(best)" not in line
    assert re.search(r"best +dice 0\.9000 at epoch 1", block)


def test_a_finished_run_ends_with_the_same_block(train):
    train()
    (block,) = train()
    assert "before this command" in block and re.search(r"best .* 0\.7500 at epoch 3", block)


@pytest.mark.parametrize("number", [1, 2])
def test_a_stage_that_was_done_before_is_one_line(train, monkeypatch, caplog, number):
    train()
    monkeypatch.setattr("common.reporting.progress.current_stage", lambda: Stage("level0", number, 2, "chain"))
    train([])
    said = [record.getMessage() for record in caplog.records]
    assert ("stage level0: done before" in said) == (number == 1)
    assert any("This run is finished" in line for line in said) == (number == 2)  # the last says how to go on


@pytest.mark.parametrize(
    ("seconds", "exact", "rough"),
    [(0, "0:00", "0 s"), (64, "1:04", "64 s"), (1740, "29:00", "29 min"), (12_600, "3:30:00", "3.5 h"),
     (200_000, "55:33:20", "2.3 d")],
)  # fmt: skip
def test_durations(seconds, exact, rough):
    assert clock(seconds) == exact and about(seconds) == rough


@pytest.mark.parametrize(("speed", "text"), [(2.544, "2.54"), (48.44, "48.4"), (99.94, "99.9"), (1622.4, "1,622")])
def test_speeds(speed, text):
    assert pace_of(speed) == text
