"""The finished cells of a study: what is remembered of each, and whether it still is what the study asks for."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..command import completed
from ..command.recipe import FOLDER as BASES
from ..files import write_atomically
from .cell import Cell
from .check import StudyError

Record = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
FORMAT = 1  # of a record; those from before it was written have it too
NEEDED = ("cell", "method", "run_name", "numbers", "digest", "spec", "date", "commit", "hardware")
LEFTOVER_S = 3600.0  # after so long a file that was being written is a killed process's


class CellFileError(ValueError):
    """A file in `cells/` that is no record of that cell; the message says what it is."""


class Ledger:
    """One JSON file per finished cell in a folder; complete or not there.

    Args:
        folder: made when something is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def read(self, study: str, name: str) -> Record | None:
        """The record of a cell; None when it is not finished.

        Args:
            study: name of the study that it must be of.
            name: id of the cell.

        Raises:
            CellFileError: the file is torn, of another cell or study, or of a newer format.
        """
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return None
        try:
            record = json.loads(path.read_bytes())
        except ValueError as error:
            raise CellFileError(f"it is torn ({error})") from None
        if isinstance(record, dict) and record.get("format", FORMAT) != FORMAT:
            raise CellFileError(f"its format is {record['format']}, and this code knows {FORMAT}")
        if not isinstance(record, dict) or (missing := [key for key in NEEDED if key not in record]):
            raise CellFileError(f"it lacks {', '.join(missing)}" if isinstance(record, dict) else "it is no record")
        if not all(isinstance(record[key], dict) for key in ("numbers", "spec", "hardware")):
            raise CellFileError("it is no record")
        if record["cell"] != name or not str(record["run_name"]).startswith(f"{study}-{name}-"):
            raise CellFileError(f"it is of the cell {record['cell']}, run {record['run_name']}")
        return record

    def write(self, record: Record) -> None:
        """Keep a record in place of an earlier one of the same cell."""
        content = {"format": FORMAT} | record
        write_whole(self.folder / f"{record['cell']}.json", json.dumps(content, indent=1) + "\n")


@dataclass(frozen=True)
class Status:
    """What a cell is now.

    Attributes:
        run_name: of its bundle runs; contains the first digits of its digest, so that no other config resumes it.
        spec: everything that decides its result and is written in files of configs or of the study.
        digest: of `spec`.
        record: what was measured, if it was.
        encoders: digest of the weights, as they are now, of what it reads, by id of the pre-training; `weights` of its
            record.
        fault: why the cell's file cannot be used; such a cell counts as neither finished nor open.
    """

    run_name: str
    spec: Mapping[str, Any]
    digest: str
    record: Record | None
    fault: str | None = None
    encoders: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> list[str]:
        """What is not as the record was measured with: parts of the config, weights; empty without a record."""
        if self.record is None:
            return []
        read = self.record.get("encoders", {})  # records from before it was written have none
        anew = [f"weights of {name}" for name, now in self.encoders.items() if read.get(name, now) != now]
        if self.record["digest"] == self.digest:
            return anew
        before, now = _flat(self.record["spec"]), _flat(self.spec)
        config = [key for key in before.keys() | now.keys() if before.get(key) != now.get(key)]
        return sorted([*config, *anew]) or ["digest"]

    @property
    def finished(self) -> bool:
        """Whether there is a record that may be used."""
        return self.record is not None and not self.changed


def statuses(study: str, cells: Sequence[Cell], ledger: Ledger, recompute: bool = False) -> dict[str, Status]:
    """What each cell is, by id.

    Args:
        study: its name.
        cells: each after the ones it needs.
        ledger: what is finished.
        recompute: a cell whose config changed, or whose file cannot be used, is as if it had never been measured.
    """
    found: dict[str, Status] = {}
    for cell in cells:
        spec = _spec(cell, {need: found[need].run_name for need in cell.needs})
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        record, fault = _read(ledger, study, cell.id)
        encoders = {need: weights for need in cell.needs if (weights := (found[need].record or {}).get("weights"))}
        planned = Status(f"{study}-{cell.id}-{digest[:8]}", spec, digest, record, fault, encoders)
        if recompute and (planned.changed or planned.fault):
            planned = replace(planned, record=None, fault=None)
        elif record is not None:
            planned = replace(planned, run_name=record["run_name"])
        found[cell.id] = planned
    return found


def _read(ledger: Ledger, study: str, name: str) -> tuple[Record | None, str | None]:
    try:
        return ledger.read(study, name), None
    except CellFileError as error:
        return None, str(error)


def accept(ledger: Ledger, status: Status) -> None:
    """Declare that what changed in a cell's config does not change its result; the record says that this was done."""
    if status.record is None or not status.changed:
        raise StudyError("only a finished cell whose config changed can be accepted")
    accepted = [*status.record.get("accepted", []), {"changed": status.changed, "digest": status.record["digest"]}]
    now = {"digest": status.digest, "spec": status.spec, "encoders": dict(status.encoders)}
    ledger.write({**status.record, **now, "accepted": accepted})


def numbers(content: Any, prefix: str = "") -> dict[str, float]:
    """All numbers in the content of a JSON file, by the names on the way to them, joined with dots."""
    if isinstance(content, Mapping):
        parts = [numbers(value, f"{prefix}{key}.") for key, value in content.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {prefix[:-1]: content} if isinstance(content, int | float) and not isinstance(content, bool) else {}


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a kill leaves the earlier one or the new one; what old kills left is cleared."""
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):  # another process may be clearing up as well
            if time.time() - left.stat().st_mtime > LEFTOVER_S:
                left.unlink()
    write_atomically(text, path)


def config_file(bundle: str, name: str) -> str:
    """Path of a bundle's config, relative to the repository's root."""
    return f"bundles/{bundle}/configs/{name}.yaml"


def _spec(cell: Cell, needs: Mapping[str, str]) -> dict[str, Any]:
    """What decides a cell's result: the meaning of its config files (not their comments), overrides, what it reads."""
    files = {config_file(cell.bundle, name) for step in cell.steps for name in step.configs}
    return {
        "bundle": cell.bundle,
        "steps": [{"configs": list(step.configs), "options": dict(step.options)} for step in cell.steps],
        "files": {name: _file_digest(ROOT / name) for name in sorted(files)},
        "needs": dict(needs),
    }


def _file_digest(path: Path) -> str:
    if not path.is_file():
        return "missing"
    return _digest_at(path, tuple(file.stat().st_mtime_ns for file in (path, *sorted(BASES.glob("*.yaml")))))


@cache
def _digest_at(path: Path, _changed: tuple[int, ...]) -> str:
    """A study asks for the same few recipes for every cell, and reading one takes a tenth of a second."""
    content = completed(yaml.safe_load(path.read_text(encoding="utf-8")))
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = dict(enumerate(value)).items()
    else:
        return {prefix[:-1]: value}
    return {name: leaf for key, item in items for name, leaf in _flat(item, f"{prefix}{key}.").items()}
