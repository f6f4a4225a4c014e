"""Keep the weights that did best on validation, say how to build their network again, and stop when it ends."""

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import nn

from .report import better_than

logger = logging.getLogger(__name__)


class KeepBest:
    """One handler for both engines: writes the best weights after an evaluation, ends a training that stalls.

    It writes into `directory`:
    - `model.pt`: state dict of `network`, the best by the evaluator's key metric;
    - `network.json`: a config overlay with everything `network_def` was built from, and `encoder_file: null`, so that
      evaluation, inference and export need neither the encoder file nor the command of the training;
    - `best.json`: metric, value and epoch. It is read when a run resumes; an entry of a later epoch is void then.

    Args:
        network: the network to keep, not wrapped for distribution.
        directory: of the run; made when absent.
        settings: values of further config keys of `network_def`, such as the decoder's.
        patience: epochs without a better value after which training ends; None trains to the last epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        directory: str,
        settings: Mapping[str, Any] | None = None,
        patience: int | None = None,
    ):
        if patience is not None and patience < 1:
            raise ValueError(f"`patience` is {patience}; it must be 1 or more epochs, or null to train to the end.")
        self.network = network
        self.directory = Path(directory)
        self.settings = dict(settings or {})
        self.patience = patience
        self.epoch = 0
        self.value = float("nan")

    def attach(self, engine: Engine) -> None:
        """Keep the best of an evaluator, or watch a trainer; list it after the handlers that resume and validate."""
        if isinstance(engine, Evaluator):
            engine.add_event_handler(Events.COMPLETED, self._judge)
            return
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._stop_when_stalled)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, trainer: Engine) -> None:
        path = self.directory / "best.json"
        self.epoch, self.value = 0, float("nan")
        if path.is_file():
            entry = json.loads(path.read_text())
            if entry["epoch"] <= trainer.state.epoch:
                self.epoch, self.value = entry["epoch"], entry["value"]
        self._stop_when_stalled(trainer)

    def _judge(self, evaluator: Engine) -> None:
        name = evaluator.state.key_metric_name  # type: ignore[attr-defined]
        value = float(evaluator.state.metrics[name])
        if better_than(value, self.value):
            self.epoch, self.value = evaluator.state.epoch, value
            self._write({"metric": name, "value": value, "epoch": self.epoch})

    def _stop_when_stalled(self, trainer: Engine) -> None:
        done = trainer.state.epoch
        if self.patience is not None and self.epoch and done - self.epoch >= self.patience:
            logger.info(
                f"Best epoch {self.epoch} ({self.value:.4f}) is {done - self.epoch} epochs back: training ends."
            )
            trainer.terminate()

    def _finish(self, trainer: Engine) -> None:
        if math.isnan(self.value):
            logger.warning(
                "The key metric was never defined on the validation images; model.pt holds the last weights."
            )
            self._write({"metric": None, "value": self.value, "epoch": trainer.state.epoch})

    def _write(self, entry: dict[str, Any]) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_rank():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        overlay = {**network_settings(self.network), **self.settings}
        _replace(self.directory / "network.json", lambda path: path.write_text(json.dumps(overlay, indent=2) + "\n"))
        _replace(self.directory / "model.pt", lambda path: torch.save(self.network.state_dict(), path))
        _replace(self.directory / "best.json", lambda path: path.write_text(json.dumps(entry) + "\n"))


def network_settings(network: nn.Module) -> dict[str, Any]:
    """Values of the config keys that the downstream recipes build an encoder from, without its file."""
    encoder: Any = network.encoder
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


def _replace(path: Path, write: Any) -> None:
    """Write beside the file and rename, so that a kill never leaves half of one."""
    part = path.with_name(path.name + ".part")
    write(part)
    os.replace(part, path)  # noqa: PTH105  atomic on every platform
