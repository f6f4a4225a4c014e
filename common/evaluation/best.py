"""Keep the weights that did best on validation, say how to build their network again, and stop when it ends."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import nn

from ..engines import CheckpointError, RunEvents, Trainer, rank
from ..engines.checksums import FILES, digests, mismatch
from ..engines.distributed import from_first
from ..files import damage, free_space, replacing, save_atomically
from ..inert import inert
from ..records.lineage import BEGAN_WITH
from ..run_folder import BEST, MODEL, NETWORK
from .stop_early import StopEarly

logger = logging.getLogger(__name__)


class KeepBest(StopEarly):
    """One handler for both engines: writes the best weights after an evaluation, ends a training that stalls.

    It writes into `directory`:
    - `model.pt`: state dict of `network`, the best by the evaluator's key metric;
    - `network.json`: a config overlay with everything `network_def` was built from, so that evaluation, inference and
      export need neither the encoder's file nor the command of the training;
    - `best.json`: metric, value and epoch, for people to read, what the encoder's weights were made from when the
      training began, and the digests of both.

    Its state belongs into the checkpoints (`extra` of `Checkpoints`), so that a resumed run knows the best before it.
    One that finds these files missing, damaged or not written together says so and takes the next evaluation for best.

    Args:
        network: the network to keep, not wrapped for distribution.
        directory: of the run; made when absent.
        settings: values of further config keys of `network_def`, such as the decoder's.
        patience: evaluations without a better value after which training ends; None trains to the last epoch.
        best_is: whether `max` or `min` of the key metric is best, as the evaluator's own `metric_cmp_fn` has it.
    """

    def __init__(
        self,
        network: nn.Module,
        directory: str,
        settings: Mapping[str, Any] | None = None,
        patience: int | None = None,
        best_is: Literal["max", "min"] = "max",
    ):
        super().__init__(None, patience, best_is)
        self.network = network
        self.directory = Path(directory)
        self.settings = dict(settings or {})

    def attach(self, engine: Engine) -> None:
        """Keep the best of an evaluator, or watch a trainer; list it after the one that validates."""
        if not isinstance(engine, Evaluator):
            engine.add_event_handler(Events.STARTED, self._forget_the_lost)
            engine.add_event_handler(Events.COMPLETED, self._finish)
        if isinstance(engine, Trainer):
            engine.add_event_handler(RunEvents.FINISHED_BEFORE, self._miss_the_lost)
        super().attach(engine)

    def _improved(self, metric: str) -> None:
        self._write({"metric": metric, "value": self.value, "epoch": self.epoch})

    def _finish(self, trainer: Engine) -> None:
        if math.isnan(self.value):
            logger.warning(
                "No evaluation says which weights are best (the key metric was never defined on the validation images, "
                "or none came after the best were lost); model.pt holds the last weights."
            )
            self._write({"metric": None, "value": self.value, "epoch": trainer.state.epoch})

    def _lost(self) -> str | None:
        """What is wrong with the files that the best weights should be in; the same in every process."""
        if math.isnan(self.value):
            return None
        return from_first(self._problem() if rank() == 0 else None)

    def _problem(self) -> str | None:
        for name in (MODEL, NETWORK):
            if not (self.directory / name).is_file():
                return f"{self.directory / name} is missing"
        broken = damage(self.directory / MODEL)  # by its own checksums, as notes of older runs hold none
        if broken:
            return f"{self.directory / MODEL} is damaged ({broken})"
        problem = mismatch(self.directory / BEST)
        if problem:
            return problem
        epoch = json.loads((self.directory / BEST).read_text()).get("epoch", self.epoch)
        # later ones come from an epoch that the run was killed in, and trains again
        return f"{self.directory / BEST} and its files are of epoch {epoch}" if epoch < self.epoch else None

    def _forget_the_lost(self, engine: Engine) -> None:
        """A run that goes on without the weights that it believes to have kept would never write any again."""
        problem = self._lost()
        if problem is None:
            return
        logger.warning(
            "The best weights so far, those of epoch %d, are lost: %s. What is left of them is renamed to *.torn. "
            "The next evaluation counts.",
            self.epoch,
            problem,
        )
        self.epoch, self.value, self.waited = 0, float("nan"), 0
        for name in (MODEL, NETWORK, BEST) if rank() == 0 else ():
            if (self.directory / name).is_file():
                (self.directory / name).replace(self.directory / f"{name}.torn")

    def _miss_the_lost(self, engine: Engine) -> None:
        problem = self._lost()
        if problem is not None:
            logger.warning(
                "The best weights, those of epoch %d, are lost: %s. Put it back, or raise the number of epochs: the "
                "next evaluation counts.",
                self.epoch,
                problem,
            )

    def _write(self, entry: dict[str, Any]) -> None:
        if rank():
            return
        # Names of classes and the encoder's header come from files: MONAI would evaluate some texts.
        overlay = inert({**network_settings(self.network), **self.settings}, str(self.directory / NETWORK))
        weights = {name: value.detach().cpu() for name, value in self.network.state_dict().items()}
        try:
            with replacing(*(self.directory / name for name in (MODEL, NETWORK, BEST))) as [model, network, best]:
                save_atomically(weights, model)
                network.write_text(json.dumps(overlay, indent=2) + "\n")
                entry |= beginning(self.network) | {FILES: digests([(MODEL, model), (NETWORK, network)])}
                best.write_text(json.dumps(entry) + "\n")
        except (OSError, RuntimeError) as error:  # PyTorch's writer turns a full disk into a RuntimeError
            raise CheckpointError(
                f"could not write the best weights to {self.directory}: {error}. {free_space(self.directory):.0f} MiB "
                f"are free there now; an earlier {MODEL} with its {NETWORK} and the checkpoints are untouched. Free "
                "space or choose another output_root; the same command then continues."
            ) from error


def beginning(network: nn.Module) -> dict[str, Any]:
    """How and from which data the encoder's first weights were made; nothing where a training began at random."""
    encoder = getattr(network, "transferred_encoder", None) or getattr(network, "encoder", None)
    origin = getattr(getattr(encoder, "description", None), "origin", None)
    return {BEGAN_WITH: origin} if origin else {}


def network_settings(network: nn.Module) -> dict[str, Any]:
    """Values of the config keys that the downstream recipes build an encoder from, without its file.

    A network without an `encoder` of the collection has none; its recipe names what rebuilds it in `settings`.
    """
    encoder: Any = getattr(network, "encoder", None)
    if encoder is None:
        return {}
    described = encoder.description
    return {
        "architecture": described.architecture,
        "encoder_options": dict(described.options),
        "channels": described.in_channels,
        "image_size": described.image_size,
        "mean": list(described.mean),
        "std": list(described.std),
        "encoder_file": None,
    }
