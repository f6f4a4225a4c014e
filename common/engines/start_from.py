"""Begin a training with the weights that another one ended with."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from torch import nn

from .errors import CheckpointError
from .files import first_sound

logger = logging.getLogger(__name__)


class StartFrom:
    """Handler that loads another run's network when this run begins, but not when it resumes.

    Optimiser, schedules and counters start afresh. Everything that the network keeps in its state dict comes along:
    teacher, memory bank, centre. List it before the handler that validates.

    Args:
        path: folder of the other run, whose newest sound checkpoint is taken, or a checkpoint file; None does nothing.
        network: this run's, unwrapped.
        only: names that begin with one of these are loaded; None loads all.
        leave_out: names that begin with one of these are not.

    Raises:
        CheckpointError: at the start of the run: no checkpoint there, none that is whole, or weights that do not fit.
    """

    def __init__(
        self,
        path: str | Path | None,
        network: nn.Module,
        only: Sequence[str] | None = None,
        leave_out: Sequence[str] = (),
    ):
        self.path = None if path is None else Path(path)
        self.network = network
        self.only = None if only is None else tuple(only)
        self.leave_out = tuple(leave_out)

    def attach(self, engine: Engine) -> None:
        """Load before the first iteration of this trainer."""
        if self.path is not None:
            engine.add_event_handler(Events.STARTED, self._load)

    def _load(self, engine: Engine) -> None:
        if engine.state.iteration:
            return
        file = self._file()
        weights = torch.load(file, map_location="cpu", weights_only=True)["network"]
        own = self.network.state_dict()
        chosen = {name: value for name, value in weights.items() if self._is_wanted(name)}
        wanted = [name for name in own if self._is_wanted(name)]
        problems = [f"{name} is missing there" for name in wanted if name not in chosen]
        problems += [f"{name} is not in this network" for name in chosen if name not in own]
        problems += [
            f"{name} is {tuple(chosen[name].shape)} there and {tuple(own[name].shape)} here"
            for name in wanted
            if name in chosen and chosen[name].shape != own[name].shape
        ]
        if problems or not chosen:
            what = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
            raise CheckpointError(
                f"start_from: {file} does not fit: {what or 'none of its names is wanted'}. Start from a run of "
                "the same networks, or change the recipe's key that names parts (start_from_parts, start_anew)"
            )
        self.network.load_state_dict(chosen, strict=False)
        logger.info("Starting from %s: %d of %d tensors.", file, len(chosen), len(own))

    def _is_wanted(self, name: str) -> bool:
        return (self.only is None or name.startswith(self.only)) and not name.startswith(self.leave_out)

    def _file(self) -> Path:
        assert self.path is not None
        kept = sorted(self.path.glob("checkpoints/iteration-*.pt"), reverse=True)
        sound, torn = first_sound([self.path] if self.path.is_file() else kept)
        for file, problem in torn.items():
            logger.warning("Skipping the damaged checkpoint %s (%s).", file, problem)
        if sound is None:
            first = next((f"{file} is damaged ({problem})" for file, problem in torn.items()), "there is no checkpoint")
            raise CheckpointError(
                f"start_from is {self.path}, where {first}. Give the folder of a training that has made a whole one, a "
                "checkpoint file, or null to start anew"
            )
        return sound
