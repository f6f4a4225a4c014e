"""The least that trains like a bundle: noise, a student with dropout, and its momentum teacher."""

import os
import signal
from pathlib import Path

import torch
from ignite.engine import Events
from ignite.metrics import Metric
from torch import nn
from torch.utils.data import Dataset

from common.sampling import SampleKey, generator_for
from common.teachers import MomentumTeacher


class Noise(Dataset):
    """Images that depend on the key alone."""

    def __init__(self, length: int, seed: int):
        self.length, self.seed = length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key):
        key = key if isinstance(key, SampleKey) else SampleKey(0, key)
        image = torch.randn(6, generator=generator_for(self.seed, *key))
        return {"image": image, "label": image[:2].sum(), "source": f"noise-{key.index}.png"}


class Method(nn.Module):
    """A student that predicts the labels and its teacher's output."""

    def __init__(self, dropout: float = 0.2):
        super().__init__()
        self.student = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, 1))
        self.teacher = MomentumTeacher(self.student)

    def forward(self, batch):
        output = self.student(batch["image"])[:, 0]
        fit = (output - batch["label"]).square().mean()
        agreement = (output - self.teacher(batch["image"])[:, 0]).square().mean()
        return {"loss": fit + agreement, "fit": fit, "agreement": agreement}

    def update_teacher(self, momentum: float) -> None:
        self.teacher.update(self.student, momentum)


class MeanOutput(Metric):
    """Mean of the teacher's outputs."""

    def __init__(self):
        super().__init__(lambda output: output["pred"])

    def reset(self):
        self.values = []

    def update(self, output):
        self.values.append(output[:, 0])

    def compute(self):
        return torch.cat(self.values).mean().item()


class Die:
    """Kills the process in an iteration, after every other handler or before it; only once per file."""

    def __init__(self, iteration: int, note: str, how: str = "SIGKILL"):
        self.iteration, self.note, self.how = iteration, Path(note), how

    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine):
        if engine.state.iteration == self.iteration and not self.note.exists():
            self.note.touch()
            if self.how == "raise":
                raise ValueError("made to fail")
            os.kill(os.getpid(), getattr(signal, self.how))
