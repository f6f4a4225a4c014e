"""Keep the weights that did best on validation, say how to build their network again, and stop when it ends."""

import json
import logging
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import nn

from ..engines import CheckpointError, rank
from ..engines.files import save_atomically
from ..inert import inert
from .stop_early import StopEarly

logger = logging.getLogger(__name__)


class KeepBest(StopEarly):
    """One handler for both engines: writes the best weights after an evaluation, ends a training that stalls.

    It writes into `directory`:
    - `model.pt`: state dict of `network`, the best by the evaluator's key metric;
    - `network.json`: a config overlay with everything `network_def` was built from, so that evaluation, inference and
      export need neither the encoder's file nor the command of the training;
    - `best.json`: metric, value and epoch, for people to read.

    Its state belongs into the checkpoints (`extra` of `Checkpoints`), so that a resumed run knows the best before it.

    Args:
        network: the network to keep, not wrapped for distribution.
        directory: of the run; made when absent.
        settings: values of further config keys of `network_def`, such as the decoder's.
        patience: evaluations without a better value after which training ends; None trains to the last epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        directory: str,
        settings: Mapping[str, Any] | None = None,
        patience: int | None = None,
    ):
        super().__init__(None, patience, "max")
        self.network = network
        self.directory = Path(directory)
        self.settings = dict(settings or {})

    def attach(self, engine: Engine) -> None:
        """Keep the best of an evaluator, or watch a trainer; list it after the one that validates."""
        super().attach(engine)
        if not isinstance(engine, Evaluator):
            engine.add_event_handler(Events.COMPLETED, self._finish)

    def _improved(self, metric: str) -> None:
        self._write({"metric": metric, "value": self.value, "epoch": self.epoch})

    def _finish(self, trainer: Engine) -> None:
        if math.isnan(self.value):
            logger.warning(
                "The key metric was never defined on the validation images; model.pt holds the last weights."
            )
            self._write({"metric": None, "value": self.value, "epoch": trainer.state.epoch})

    def _write(self, entry: dict[str, Any]) -> None:
        if rank():
            return
        # Names of classes and the encoder's header come from files: MONAI would evaluate some texts.
        overlay = inert({**network_settings(self.network), **self.settings}, str(self.directory / "network.json"))
        weights = {name: value.detach().cpu() for name, value in self.network.state_dict().items()}
        try:
            save_atomically(weights, self.directory / "model.pt")
            (self.directory / "network.json").write_text(json.dumps(overlay, indent=2) + "\n")
            (self.directory / "best.json").write_text(json.dumps(entry) + "\n")
        except (OSError, RuntimeError) as error:  # PyTorch's writer turns a full disk into a RuntimeError
            free = shutil.disk_usage(self.directory).free / 2**20
            raise CheckpointError(
                f"could not write the best weights to {self.directory}: {error}. {free:.0f} MiB are free there now; "
                "an earlier model.pt and the checkpoints are untouched. Free space or choose another output_root; the "
                "same command then continues."
            ) from error


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
