"""Deliver the encoder that pre-training made."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ignite.engine import Engine, Events

from ..files import save_atomically
from ..networks import Encoder, save_encoder
from ..records.data_used import DataUsed, data_used
from ..records.lineage import Lineage
from ..run_folder import BEST_ENCODER, ENCODER, MODEL
from .checkpoints import Checkpoints
from .distributed import rank
from .provenance import commit

if TYPE_CHECKING:
    from ..teachers import Expert


class SaveEncoder:
    """Handler of a trainer: the encoder as `encoder.safetensors` and as a bundle's `model.pt`, after every epoch.

    `encoder.safetensors` describes itself and is what downstream bundles load; `model.pt` is the state dict of the
    bundle's `network_def`, as MONAI's tools expect. Both hold the last epoch's; where the checkpoints keep a best
    evaluation, `encoder_best.safetensors` holds that one's.

    Args:
        encoder: the encoder to transfer, for example the teacher's.
        directory: where both files go.
        method: name of the method, for the file's description.
        corpora: names of the data sets it is trained on, where the trainer's data loader does not tell. In the file
            those that the weights it began with were made from come first.
        checkpoints: judges which weights are best, by its `keep_best`, those before the first epoch included. None
            keeps no best encoder.
        experts: that it learns from; what they were trained on stands in the file, since it has seen that through them.
    """

    def __init__(
        self,
        encoder: Encoder,
        directory: str,
        method: str,
        corpora: Sequence[str] = (),
        checkpoints: Checkpoints | None = None,
        experts: "Iterable[Expert]" = (),
    ):
        self.encoder = encoder
        self.directory = Path(directory)
        self.method = method
        self.corpora = tuple(corpora)
        self.trained_on: tuple[DataUsed, ...] = ()
        self.checkpoints = checkpoints
        self.experts = sum((expert.lineage for expert in experts), Lineage())

    def attach(self, engine: Engine) -> None:
        """Write on the first process at the end of every epoch, and of every evaluation that is the best so far."""
        # What is read is what counts: a recipe's `dataset` names a reader, which reads phantoms as well.
        loader = getattr(engine, "data_loader", None)
        self.trained_on = tuple(data_used(getattr(loader, "dataset", None)))
        self.corpora = tuple(used.name for used in self.trained_on) or self.corpora
        if rank() == 0:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)
            if self.checkpoints is not None:
                self.checkpoints.when_best.append(partial(self._save, BEST_ENCODER))

    def __call__(self, engine: Engine) -> None:
        """Write the files."""
        self._save(ENCODER)
        weights = {name: value.detach().cpu() for name, value in self.encoder.state_dict().items()}
        path = self.directory / MODEL
        try:
            save_atomically(weights, path)
        except (OSError, RuntimeError) as error:  # PyTorch wraps the system's errors in its own
            raise OSError(f"Could not write {path}: {error}. Free space, or choose another output_root.") from error

    def _save(self, name: str) -> None:
        before = self.encoder.description  # of the weights that the run began with
        save_encoder(
            self.encoder,
            self.directory / name,
            self.method,
            corpora=tuple(dict.fromkeys([*before.corpora, *self.corpora])),
            commit=commit(),
            trained_on=tuple(dict.fromkeys([*before.trained_on, *self.trained_on])),
            experts=before.experts + self.experts,
        )
