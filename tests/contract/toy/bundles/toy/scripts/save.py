"""Files the toy bundle writes."""

import json
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from common.engines import rank


class SaveModel:
    """Handler: the network as `model.pt` at the end."""

    def __init__(self, network: nn.Module, directory: str):
        self.network, self.directory = network, Path(directory)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        if rank() == 0:
            self.directory.mkdir(parents=True, exist_ok=True)
            torch.save(self.network.state_dict(), self.directory / "model.pt")


class SaveGuesses:
    """Handler: every output of an evaluator as `guesses.json`."""

    def __init__(self, directory: str):
        self.path, self.guesses = Path(directory) / "guesses.json", {}

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._take)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _take(self, engine: Engine) -> None:
        output: Any = engine.state.output
        for source, guess in zip(engine.state.batch["source"], output["pred"][:, 0].tolist(), strict=True):
            self.guesses[Path(source).name] = guess

    def _write(self, engine: Engine) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.guesses))
