"""One entry of a study: a pre-training or a task, with one seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One run of a bundle: names of its config files in merging order, and overrides by key."""

    configs: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Where:
    """A value in a JSON file of a run folder.

    Attributes:
        file: its name.
        key: names on the way to the value, joined with dots.
        better: `higher` or `lower`, for the figure of gains.
    """

    file: str
    key: str
    better: str = "higher"


@dataclass(frozen=True)
class Cell:
    """One entry of the study.

    Attributes:
        method: its key in the file.
        task: its key in the file; None is the method's pre-training.
        seed: of everything random in it.
        bundle: whose configs its steps name.
        steps: run one after the other under one run name.
        encoder: where the encoder lies that it makes, with placeholders; None for tasks.
        metrics: where its numbers are, by title.
        facts: where other values are that are kept beside them.
        curve: numbers of its MLflow run whose every point is kept; of a method in stages, of the last one.
        images: that its length was reckoned with; None where its own recipe says how long it is.
        needs: ids of the cells it reads from.
    """

    method: str
    task: str | None
    seed: int
    bundle: str
    steps: tuple[Step, ...]
    encoder: str | None = None
    metrics: Mapping[str, Where] = field(default_factory=dict)
    facts: Mapping[str, Where] = field(default_factory=dict)
    curve: tuple[str, ...] = ()
    images: int | None = None
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name of the cell and of its result file."""
        return cell_id(self.method, self.task, self.seed)


def cell_id(method: str, task: str | None, seed: int) -> str:
    """Name of a cell."""
    return f"{method}-{task or 'pretraining'}-seed{seed}"
