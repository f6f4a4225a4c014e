"""A file beside a run that remembers its run of MLflow."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from ..files import write_atomically

logger = logging.getLogger(__name__)


class RunNote:
    """A file that remembers which MLflow run belongs to a run directory before there is a checkpoint.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path):
        self.path = directory / "mlflow_run.json"

    def read(self, uri: str, config: Mapping[str, str]) -> str | None:
        """Run id noted for the same server and the same config; a damaged note counts as none, with a warning.

        Args:
            uri: of the server, without credentials.
            config: of the run, by name.
        """
        if not self.path.exists():
            return None
        try:
            note = json.loads(self.path.read_text())
            run_id, place, noted = str(note["run_id"]), note["uri"], note["config"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.warning(
                "The note %s is damaged (%s: %s) and is written anew; unless a checkpoint names the MLflow run, a new "
                "one begins.",
                self.path,
                type(error).__name__,
                error,
            )
            return None
        return run_id if (place, noted) == (uri, digest(config)) else None

    def run_id(self) -> str | None:
        """The run noted last, of whatever server and config; None where there is none."""
        try:
            return str(json.loads(self.path.read_text())["run_id"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, run_id: str, uri: str, config: Mapping[str, str]) -> None:
        """Note the run."""
        write_atomically(json.dumps({"run_id": run_id, "uri": uri, "config": digest(config)}), self.path)


def digest(config: Mapping[str, str]) -> str:
    """Checksum of a config by name."""
    return hashlib.blake2b(json.dumps(sorted(config.items())).encode(), digest_size=8).hexdigest()
