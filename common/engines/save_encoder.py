"""Deliver the encoder that pre-training made."""

from collections.abc import Sequence
from pathlib import Path

from ignite.engine import Engine, Events

from ..networks import Encoder, save_encoder
from .distributed import rank
from .files import save_atomically
from .provenance import commit


class SaveEncoder:
    """Handler of a trainer: the encoder as `encoder.safetensors` and as a bundle's `model.pt`, after every epoch.

    `encoder.safetensors` describes itself and is what downstream bundles load; `model.pt` is the state dict of the
    bundle's `network_def`, as MONAI's tools expect.

    Args:
        encoder: the encoder to transfer, for example the teacher's.
        directory: where both files go.
        method: name of the method, for the file's description.
        corpora: names of the data sets it has seen.
    """

    def __init__(self, encoder: Encoder, directory: str, method: str, corpora: Sequence[str]):
        self.encoder = encoder
        self.directory = Path(directory)
        self.method = method
        self.corpora = tuple(corpora)

    def attach(self, engine: Engine) -> None:
        """Write on the first process at the end of every epoch."""
        if rank() == 0:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write both files."""
        save_encoder(
            self.encoder, self.directory / "encoder.safetensors", self.method, corpora=self.corpora, commit=commit()
        )
        weights = {name: value.detach().cpu() for name, value in self.encoder.state_dict().items()}
        path = self.directory / "model.pt"
        try:
            save_atomically(weights, path)
        except (OSError, RuntimeError) as error:  # PyTorch wraps the system's errors in its own
            raise OSError(f"Could not write {path}: {error}. Free space, or choose another output_root.") from error
