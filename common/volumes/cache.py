"""Prepared volumes on the disk, from which crops are read without decoding a volume again.

MONAI's `PersistentDataset` does not serve: it writes one pickle per item, so that every crop costs reading a whole
volume into each worker's own memory; it names the pickle after the path and not the content, so that a changed file
goes unnoticed; one unreadable file ends the epoch; and two processes that start together both prepare everything.
"""

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..files import locked
from ..files.bar import Bar
from ..files.build import build_entries
from ..files.errors import DatasetError
from ..files.full_disk import written_to
from ..files.journal import Journal, Line
from ..files.pool import cores
from ..files.quarantine import CRASHED, Quarantined, named, nothing_left, quarantined
from ..records import Corpus, Record
from .entries import HOUNSFIELD, ORGANS, PART, prepare_entry, stamps_of
from .preparation import Preparation
from .task import Task

INDEX = "index.jsonl"
NEEDED = {"key", "shape", "spacing", "origin", "organs", "prepared"}  # of a line; another version may write others

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VolumeCache:
    """The volumes of a corpus, prepared; make one with `open_volumes`.

    Args:
        corpus: with the records that could be prepared.
        directory: of the cache.
        entries: per record, its line of the index: key, shape, spacing, origin, organs.
        quarantine: what is left out.
        refused_organs: label maps that are not used; their volumes count as having none.
    """

    corpus: Corpus
    directory: Path
    entries: tuple[Line, ...]
    quarantine: tuple[Quarantined, ...]
    refused_organs: tuple[Quarantined, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def records(self) -> tuple[Record, ...]:
        """One per volume."""
        return self.corpus.records

    @property
    def without_organs(self) -> int:
        """How many volumes have no label map."""
        return sum(not entry["organs"] for entry in self.entries)

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return the voxels of a volume along (D, H, W)."""
        depth, height, width = self.entries[index]["shape"]
        return depth, height, width

    def hounsfield(self, index: int) -> np.ndarray:
        """Map a volume: int16 (D, H, W), read-only; pages come from the disk as they are touched."""
        return self._map(index, HOUNSFIELD)

    def organs(self, index: int) -> np.ndarray | None:
        """Map a label map: uint8 (D, H, W), read-only; None where the volume has none."""
        if not self.entries[index]["organs"]:
            return None
        return self._map(index, ORGANS)

    def _map(self, index: int, name: str) -> np.ndarray:
        entry = self.entries[index]
        # The stamp is there for the memory of maps: a volume that is prepared again has the same path.
        return _mapped(f"{self.directory}/{entry['key']}/{name}", repr(entry["prepared"]))

    def subset(
        self, split: str | None = None, fraction: float | None = None, limit: int | None = None, seed: int | None = 99
    ) -> "VolumeCache":
        """Return fewer volumes of the same cache; arguments as `Corpus.subset`."""
        corpus = self.corpus.subset(split, fraction, limit, seed)
        place = {id(record): entry for record, entry in zip(self.records, self.entries, strict=True)}
        return replace(self, corpus=corpus, entries=tuple(place[id(record)] for record in corpus.records))


@lru_cache(maxsize=256)  # each holds a file open; opening one takes longer than a small crop
def _mapped(path: str, stamps: str) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def open_volumes(
    corpus: Corpus,
    directory: str | os.PathLike[str],
    preparation: Preparation,
    workers: int | None = None,
    progress: bool = True,
) -> VolumeCache:
    """Prepare what of a corpus is not yet in the cache, and open it; go on where a killed run stopped.

    Each volume is prepared once, whatever runs and subsets ask for it, and is found again by the content of its files
    and the settings. Several processes may call this at once: one prepares, the others wait. What cannot be used is
    named in the log at every opening and left out; nothing stands in for it.

    Args:
        corpus: from a reader of CT volumes.
        directory: where caches are kept; this one's own folder in it is named after corpus and settings.
        preparation: what is done to each volume.
        workers: processes; None takes all cores.
        progress: show a progress bar.

    Raises:
        DatasetError: not one volume can be used, or of the label maps not one; or the cache cannot be written.
    """
    if not corpus.records:
        raise DatasetError(corpus.name, "it has no volumes", "Check the key that names its folder")
    place = Path(directory) / f"{corpus.name}-{preparation.name}"
    tasks = {_name(task): task for task in (Task.of(record, bool(preparation.structures)) for record in corpus.records)}
    lines = _current(place, tasks)
    if len(lines) < len(tasks):
        with written_to(place):
            place.mkdir(parents=True, exist_ok=True)
            with locked(place / ".lock"):
                lines = _current(place, tasks)
                missing = {name: task for name, task in tasks.items() if name not in lines}
                logger.info("Preparing %s volumes of %s once, in %s.", f"{len(missing):,}", corpus.name, place)
                lines |= _build(missing, place, preparation, workers or cores(), progress)
    cache = _opened(corpus, place, [lines[name] for name in _names(corpus, preparation)])
    _log_summary(cache, len(corpus), bool(preparation.structures))
    return cache


def _name(task: Task) -> str:
    return json.dumps([task.image, task.organs, task.calibration and astuple(task.calibration)])


def _names(corpus: Corpus, preparation: Preparation) -> list[str]:
    return [_name(Task.of(record, bool(preparation.structures))) for record in corpus.records]


def _current(place: Path, tasks: Mapping[str, Task]) -> dict[str, Line]:
    """Return the lines of the index whose files are still what they were."""
    found = Journal(place / INDEX).read()  # a volume whose line is torn is found again by content
    return {name: found[name] for name, task in tasks.items() if name in found and _holds(found[name], task, place)}


def _holds(line: Line, task: Task, place: Path) -> bool:
    """Say whether source and prepared files have the sizes and times of the line; what has not is looked into."""
    if line.get("stamps") != task.stamps():
        return False
    if "reason" in line:
        # A crash may have been the machine's, out of memory for instance, and not the file's.
        return line["reason"] != CRASHED["reason"] and {"path", "remedy"} <= line.keys()
    return line.keys() >= NEEDED and line["prepared"] == stamps_of(place / line["key"])


def _build(
    tasks: Mapping[str, Task], place: Path, preparation: Preparation, workers: int, progress: bool
) -> dict[str, Line]:
    for part in place.glob(f"*{PART}"):  # of a run that was killed; its workers may not have noticed yet
        shutil.rmtree(part, ignore_errors=True)
    work = partial(prepare_entry, preparation=preparation, directory=str(place))
    with Bar(total=len(tasks), unit="volume", desc=place.name, disable=not progress) as bar:
        return build_entries(tasks, work, _crashed, Journal(place / INDEX), bar, workers)


def _crashed(task: Task) -> Line:
    return {"stamps": task.stamps(), "path": task.image, **CRASHED}


def _opened(corpus: Corpus, place: Path, lines: Sequence[Line]) -> VolumeCache:
    good = [number for number, line in enumerate(lines) if "reason" not in line]
    bad = tuple({file.path: file for file in quarantined(lines)}.values())
    if not good:
        raise nothing_left(corpus.name, f"none of {len(corpus)} volumes can be used", bad)
    kept = replace(corpus, records=tuple(corpus.records[number] for number in good))
    entries = tuple(lines[number] for number in good)
    refused = tuple(
        Quarantined(str(record.label_map), **entry["refused_organs"])
        for record, entry in zip(kept.records, entries, strict=True)
        if "refused_organs" in entry
    )
    if refused and not any(entry["organs"] for entry in entries):
        raise nothing_left(corpus.name, f"none of {len(refused)} label maps can be used", refused)
    return VolumeCache(kept, place, entries, bad, refused)


def _log_summary(cache: VolumeCache, count: int, structures: bool) -> None:
    """Say at every opening what is left out, since who trains is often not who prepared."""
    name, place = cache.corpus.name, cache.directory / INDEX
    if cache.quarantine:
        message = "%d of %d volumes of %s cannot be used and are left out: %s. Listed in %s"
        logger.warning(message, count - len(cache), count, name, named(cache.quarantine), place)
    if cache.refused_organs:
        message = "%d label maps of %s cannot be used; their volumes take part in the diagnosis alone: %s. Listed in %s"
        logger.warning(message, len(cache.refused_organs), name, named(cache.refused_organs), place)
    doubtful = [
        Quarantined(record.image, "; ".join(entry["doubts"]), "")
        for record, entry in zip(cache.records, cache.entries, strict=True)
        if entry.get("doubts")
    ]
    if doubtful:
        message = "%d of %d volumes of %s are used, but look at them: %s. Listed in %s"
        logger.warning(message, len(doubtful), len(cache), name, named(doubtful), place)
    if structures and cache.without_organs:
        logger.warning("%d of %d volumes of %s have no organ mask", cache.without_organs, len(cache), name)
