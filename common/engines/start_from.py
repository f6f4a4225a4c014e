"""Begin a training with the weights that another one ended with."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from ..networks.checkpoint_reading import UnreadableCheckpointError, is_safetensors
from ..networks.encoder_file import describe_encoder
from ..run_folder import ENCODER
from .errors import CheckpointError
from .soundness import DamagedCheckpoint, NoCheckpoint, read_checkpoint

logger = logging.getLogger(__name__)


class StartFrom:
    """Handler that loads another run's network when this run begins, but not when it resumes.

    Optimiser, schedules and counters start afresh. Everything that the network keeps in its state dict comes along:
    teacher, memory bank, centre. List it before the handler that validates.

    Args:
        path: folder of the other run, whose newest checkpoint that is sound and fits is taken, or a checkpoint file;
            None does nothing.
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
            self._inherit_origin(self.path)
            engine.add_event_handler(Events.STARTED, self._load)

    def _inherit_origin(self, path: Path) -> None:
        """Let this run's encoder know the data that the other's saw; of a checkpoint its run's encoder file tells."""
        encoder = getattr(self.network, "transferred_encoder", None)
        file = (path.parent.parent if path.is_file() else path) / ENCODER
        if encoder is None or not file.is_file() or not self._loads(encoder):
            return
        try:
            before = describe_encoder(file)
        except UnreadableCheckpointError:  # the weights are in the checkpoint: whether they can be used is found there
            return
        if before is not None:
            encoder.description = replace(
                encoder.description,
                method=before.method,
                corpora=before.corpora,
                trained_on=before.trained_on,
                experts=before.experts,
            )

    def _loads(self, encoder: nn.Module) -> bool:
        """Whether weights of the encoder are among those that are taken."""
        own = {id(parameter) for parameter in encoder.parameters()}
        return any(self._is_wanted(name) for name, value in self.network.named_parameters() if id(value) in own)

    def _load(self, engine: Engine) -> None:
        if engine.state.iteration:
            return
        assert self.path is not None
        files = (
            [self.path] if self.path.is_file() else sorted(self.path.glob("checkpoints/iteration-*.pt"), reverse=True)
        )
        damaged: dict[Path, str] = {}
        unfit: dict[Path, str] = {}
        for file in files:
            try:
                weights = read_checkpoint(file, ["network"])["network"]
            except DamagedCheckpoint as error:
                foreign = isinstance(error, NoCheckpoint) or is_safetensors(file)
                damaged[file] = f"{'is no checkpoint of a training' if foreign else 'is damaged'} ({error})"
                continue
            problem = self._misfit(weights)
            if problem is None:
                for other, reason in (damaged | unfit).items():
                    logger.warning("Skipping the checkpoint %s, which %s.", other, reason)
                self.network.load_state_dict(self._chosen(weights), strict=False)
                logger.info(
                    "Starting from %s: %d of %d tensors.",
                    file,
                    len(self._chosen(weights)),
                    len(self.network.state_dict()),
                )
                return
            unfit[file] = f"does not fit: {problem}"
        raise CheckpointError(self._refusal(damaged, unfit))

    def _misfit(self, weights: Mapping[str, Any]) -> str | None:
        """What of a checkpoint's network this one cannot take."""
        own, chosen = self.network.state_dict(), self._chosen(weights)
        wanted = [name for name in own if self._is_wanted(name)]
        problems = [f"{name} is missing there" for name in wanted if name not in chosen]
        problems += [f"{name} is not in this network" for name in chosen if name not in own]
        problems += [
            f"{name} is {tuple(chosen[name].shape)} there and {tuple(own[name].shape)} here"
            for name in wanted
            if name in chosen and chosen[name].shape != own[name].shape
        ]
        if not problems:
            return None if chosen else "none of its names is wanted"
        return "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")

    def _refusal(self, damaged: Mapping[Path, str], unfit: Mapping[Path, str]) -> str:
        for file, problem in unfit.items():
            return (
                f"start_from: {file} {problem}. Start from a run of "
                "the same networks, or change the recipe's key that names parts (start_from_parts, start_anew)"
            )
        first = next((f"{file} {problem}" for file, problem in damaged.items()), "there is no checkpoint")
        return (
            f"start_from is {self.path}, where {first}. Give the folder of a training that has made a whole one, a "
            "checkpoint file, or null to start anew; weights alone, such as model.pt, are read by encoder_file"
        )

    def _chosen(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in weights.items() if self._is_wanted(name)}

    def _is_wanted(self, name: str) -> bool:
        return (self.only is None or name.startswith(self.only)) and not name.startswith(self.leave_out)
