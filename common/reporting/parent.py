"""The MLflow run below which the stages of one command are nested."""

from pathlib import Path

from ..command import Stage
from .run_note import RunNote
from .store import RunStore


class ParentRun:
    """Opened with each stage and closed with the last one, or with one that ends otherwise.

    Args:
        store: of the parent alone; not that of the stage.
        stage: the one that is being trained.
        directory: of the runs of the experiment, where a note remembers the parent.
    """

    def __init__(self, store: RunStore, stage: Stage, directory: Path):
        self.store, self.stage = store, stage
        self._note = RunNote(directory / stage.parent)
        self._described = {"stages": str(stage.count)}

    def open(self, goes_on: bool) -> str:
        """Find the parent again, or make it.

        Args:
            goes_on: whether the stage goes on from a checkpoint; the first stage anew, below a parent that is finished,
                is a new command.

        Returns:
            Run id.
        """
        remembered = self._note.read(self.store.address, self._described)
        anew = self.stage.number == 1 and not goes_on
        if remembered is not None and anew and self.store.status(remembered) == "FINISHED":
            remembered = None
        self.store.open(self.stage.parent, [remembered])
        self._note.write(self.store.id, self.store.address, self._described)
        return self.store.id

    def close(self, status: str) -> None:
        """Close with the last stage; a stage that failed or was killed ends its parent likewise."""
        if self.store.run_id is not None and (self.stage.is_last or status != "FINISHED"):
            self.store.close(status)
