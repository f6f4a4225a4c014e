"""From volumes to label maps on the volumes' own voxels, one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..files.bar import Bar
from ..files.errors import UnreadableImage
from ..files.full_disk import FULL
from ..images.formats.nifti_writer import write_nifti
from ..records import Record
from ..volumes import Volume
from ..volumes.organs import renumbered
from ..volumes.read import read_with_file_grid
from ..volumes.resample import resample, resampled_grid
from .output import Output

SPACING = (3.0, 1.5, 1.5)  # [P] 1.5 x 1.5 x 3.0 mm, here (D, H, W)
CLIP = (-1000, 1000)  # [P] Hounsfield units


class Segmenter(Protocol):
    """A back end."""

    @property
    def names(self) -> Mapping[str, int]:
        """Of the labels, to their values; 0 is everything else."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What decides its labels."""

    def __call__(self, volume: Volume) -> np.ndarray:
        """Label a volume of `SPACING` and `CLIP`: integers (D, H, W) as in `names`."""


@dataclass
class Outcome:
    """What became of the volumes.

    Attributes:
        made: label maps written.
        skipped: finished before, or in the hands of another process.
        empty: volumes in which no structure was found.
        failures: volume -> reason.
    """

    made: int = 0
    skipped: int = 0
    empty: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def segment_all(
    records: Sequence[Record], output: Output, segmenter: Segmenter, structures: Sequence[str], progress: bool = True
) -> Outcome:
    """Make the label maps that are not there; a volume that cannot be segmented is named and left out.

    Raises:
        OSError: the disk is full.
    """
    outcome = Outcome()
    for record in Bar(records, unit="volume", disable=not progress):
        with output.claim(record.image) as mine:
            if not mine:
                outcome.skipped += 1
                continue
            reason = None
            try:
                found = _segment(record, output, segmenter, structures)
            except UnreadableImage as error:
                reason = str(error)
            except OSError as error:
                if error.errno in FULL:
                    raise
                reason = f"{record.image}: {error}"
            except Exception as error:  # of a back end: one odd volume must not end a week's work
                reason = f"{record.image}: {type(error).__name__}: {' '.join(str(error).split())}"
            output.note(record.image, reason)
        if reason is not None:
            outcome.failures[record.image] = reason
            continue
        outcome.made += 1
        outcome.empty += [] if found else [record.image]
    return outcome


def _segment(record: Record, output: Output, segmenter: Segmenter, structures: Sequence[str]) -> bool:
    volume, own = read_with_file_grid(record.image, record.calibration)
    grid = resampled_grid(volume.grid, SPACING)
    values = np.clip(resample(volume.hounsfield, volume.grid, grid, order=1), *CLIP)
    labels = segmenter(Volume(values, grid.spacing, grid.origin))
    if labels.shape != grid.shape:
        raise RuntimeError(f"the back end was given {grid.shape} voxels and returned {labels.shape}")
    labels = renumbered(labels, segmenter.names, structures)
    names = {name: number for number, name in enumerate(structures, start=1)}
    write_nifti(output.path(record.image), own.labels_from(labels, grid), own.affine, names)
    return bool(labels.any())
