"""Looks into every file of a corpus: what cannot be read, masks that do not fit, the same picture twice."""

import hashlib
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files.bar import Bar
from ..files.errors import UnreadableImage
from ..files.notices import collect_notices
from ..files.pool import cores
from ..images.decode import image_size, read_image
from ..images.masks import check_shape
from ..images.store.worker import resize
from ..records import Record
from ..volumes import read_volume
from ..volumes.doubts import collect_doubts
from ..volumes.organs import read_label_map
from .support.tree import Tree

HASH_SIZE = 64  # pixels: enough to tell two radiographs of one patient apart


@dataclass(frozen=True)
class Inspection:
    """What one record's files are like.

    Args:
        record: inspected.
        picture: hash of the resized pixels; None where the file cannot be read.
        size: (H, W), or (D, H, W) of a volume, or None.
        problems: one sentence each, naming the file and the remedy.
    """

    record: Record
    picture: str | None
    size: tuple[int, ...] | None
    problems: tuple[str, ...]


def picture_hash(picture: np.ndarray) -> str:
    """Return the same 16 digits for the same pixels, whatever the format, name or meta data of the file.

    Args:
        picture: uint8 (C, H, W).
    """
    return hashlib.sha256(resize(picture, HASH_SIZE).tobytes()).hexdigest()[:16]


def inspect(record: Record) -> Inspection:
    """Decode a record's image and compare its masks' proportions with it."""
    try:
        picture = read_image(record.image)
    except UnreadableImage as error:
        return Inspection(record, None, None, (str(error),))
    size = (picture.shape[1], picture.shape[2])
    problems = []
    for structure, path in record.masks.items():
        try:
            check_shape(size, image_size(path), path, structure)
        except UnreadableImage as error:
            problems.append(str(error))
    return Inspection(record, picture_hash(picture), size, tuple(problems))


def inspect_volume(record: Record) -> Inspection:
    """Read a record's CT volume and compare its label map's grid with it."""
    problems = []
    with collect_doubts() as doubts:
        try:
            volume = read_volume(record.image, record.calibration)
        except UnreadableImage as error:
            return Inspection(record, None, None, (str(error),))
        if record.label_map is not None:
            try:
                read_label_map(record.label_map, volume)
            except UnreadableImage as error:
                problems.append(str(error))
    problems += map(str, doubts)
    picture = hashlib.sha256(volume.hounsfield.tobytes()).hexdigest()[:16]
    return Inspection(record, picture, volume.grid.shape, tuple(problems))


def inspect_all(
    records: Sequence[Record], workers: int | None = None, progress: bool = True, volumes: bool = False
) -> list[Inspection]:
    """Inspect records in parallel, in their order.

    Args:
        records: to inspect.
        workers: processes; None takes all cores.
        progress: show a progress bar.
        volumes: the records are of CT volumes.
    """
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers or cores(), context) as pool:
        results = pool.map(inspect_volume, records) if volumes else pool.map(inspect, records, chunksize=16)
        return list(Bar(results, total=len(records), unit="image", desc="inspecting", disable=not progress))


def unread_images(records: Sequence[Record], root: Path, volumes: bool = False) -> list[Path]:
    """Return the images below a folder that no record reads, whatever the reader said of them; copies do not count.

    Args:
        records: of a reader.
        root: that was read.
        volumes: the records are of CT volumes.
    """
    tree = Tree(root)
    with collect_notices():  # the reader has said it
        found = tree.volumes() if volumes else tree.images()
    files = (path for record in records for path in (record.image, record.label_map, *record.masks.values()) if path)
    used = set(map(os.path.realpath, files))
    return [path for path in found if os.path.realpath(path) not in used]


def repeats(inspections: Sequence[Inspection]) -> list[list[Record]]:
    """Return the groups of records that show the same picture, groups across splits first."""
    groups = defaultdict(list)
    for inspection in inspections:
        if inspection.picture is not None:
            groups[inspection.picture].append(inspection.record)
    found = [group for group in groups.values() if len(group) > 1]
    return sorted(found, key=lambda group: len({record.split for record in group}), reverse=True)
