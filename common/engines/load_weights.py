"""Load a network's weights before an evaluation or an inference."""

from pathlib import Path

from ignite.engine import Engine
from monai.handlers import CheckpointLoader

from ..networks.checkpoint_reading import read_checkpoint
from .errors import CheckpointError


class WeightsCheckpointLoader(CheckpointLoader):
    """MONAI's `CheckpointLoader`, whose errors name the file and what to do.

    MONAI's federated client, which sends the weights itself, tells loaders by that word in their
    name and disables them.

    Raises:
        FileNotFoundError: at the start of the run: no such file.
        UnreadableCheckpointError: likewise: damaged, cut off, or no weights at all, such as a Git LFS pointer.
        CheckpointError: likewise: weights of another network.
    """

    def __call__(self, engine: Engine) -> None:
        """Load before the first iteration."""
        read_checkpoint(Path(self.load_path))
        try:
            super().__call__(engine)
        except RuntimeError as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise CheckpointError(
                f"{self.load_path} does not fit the network that the config builds: {reason}. Give the weights of that "
                "network by ckpt_path, or its run's network.json as the last config file."
            ) from error
