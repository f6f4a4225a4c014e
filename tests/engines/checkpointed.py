"""A short training with checkpoints."""

import threading

import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from torch.utils.data import DataLoader
from toy_bundle.scripts.toy import MeanOutput, Method, Noise

from common.engines import (
    ApplySchedules,
    Checkpoints,
    Cosine,
    Trainer,
    checkpoint_writer,
    method_losses,
    parameter_groups,
    whole_batch,
)
from common.files import damage
from common.sampling import SeededSampler


def make(directory, epochs=2, images=20, handlers=(), **options):
    torch.manual_seed(0)
    network = Method()
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=0.01)
    loader = DataLoader(Noise(images, 0), batch_size=4, sampler=SeededSampler(images, 0, 4))
    checkpoints = Checkpoints(directory, network, optimizer, **options)
    schedules = ApplySchedules(optimizer, Cosine(0.01, 0.001))
    all_handlers = [schedules, checkpoints, *handlers]
    trainer = Trainer(
        "cpu", epochs, loader, network, optimizer, method_losses, prepare_batch=whole_batch, train_handlers=all_handlers
    )
    return trainer, checkpoints


def names(directory):
    return sorted(path.name for path in directory.iterdir() if path.name != ".lock")


class Evaluations:
    """An evaluator whose metric is given, run after each epoch."""

    def __init__(self, values, checkpoints):
        self.values, self.checkpoints = iter(values), checkpoints

    def attach(self, engine):
        loader = DataLoader(Noise(4, 1), batch_size=4)
        network = Method().student
        evaluator = SupervisedEvaluator("cpu", loader, network, decollate=False, val_handlers=[self.checkpoints])
        MeanOutput().attach(evaluator, "other")

        @evaluator.on(Events.EPOCH_COMPLETED)
        def give():
            evaluator.state.metrics["dice"] = next(self.values)

        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run())


class Writing:
    """Checkpoints are written when they are let go, as on a slow disk.

    Attributes:
        begun: iterations whose writing has begun, in order.
        ended: iterations whose writing has ended, in order.
        at_once: most that were being written at the same time.
    """

    def __init__(self, monkeypatch, held=(), failing=()):
        self.begun, self.ended, self.at_once = [], [], 0
        self.held, self.failing, self.let_go = held, failing, threading.Event()
        self.has_begun = threading.Event()
        self.save = checkpoint_writer.save_atomically
        monkeypatch.setattr(checkpoint_writer, "save_atomically", self)

    def __call__(self, content, path):
        iteration = content["trainer"]["iteration"]
        self.begun.append(iteration)
        self.at_once = max(self.at_once, len(self.begun) - len(self.ended))
        self.has_begun.set()
        try:
            if iteration in self.held:
                assert self.let_go.wait(60)
            if iteration in self.failing:
                raise OSError(28, "No space left on device")
            return self.save(content, path)
        finally:
            self.ended.append(iteration)


def iterations(directory):
    """Of the checkpoints that are there; each must be whole."""
    files = sorted(directory.glob("iteration-*.pt"))
    assert all(damage(path) is None for path in files)
    return [torch.load(path, weights_only=True)["trainer"]["iteration"] for path in files]


def at(trainer, iteration, call):
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=iteration), call)
