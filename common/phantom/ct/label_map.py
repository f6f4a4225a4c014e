"""Phantom volumes and their label maps as NIfTI files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...images.formats.nifti_writer import write_nifti
from ...volumes.structures import TABLES
from ..solids import Array
from .volume import NAMES, PhantomCT

# By TotalSegmentator's names, whose numbers in version 2 they have.
LABELLED = (
    *("spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach"),
    *("lung_upper_lobe_left", "lung_lower_lobe_left"),
    *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    *("esophagus", "trachea", "small_bowel", "duodenum", "colon", "urinary_bladder"),
    *("heart", "aorta", "superior_vena_cava", "inferior_vena_cava"),
)
IDS = {name: TABLES["v2"][name] for name in LABELLED}


def write_volume(volume: PhantomCT, path: Path) -> None:
    """Write Hounsfield units as int16 NIfTI, axes towards the patient's left, back and head."""
    write_nifti(path, _reversed(volume.hounsfield), _affine(volume))


def write_labels(volume: PhantomCT, path: Path) -> None:
    """Write the organs as uint8 NIfTI on the volume's own grid, with TotalSegmentator's numbers and names."""
    numbers = np.array([IDS.get(name, 0) for name in NAMES], np.uint8)
    write_nifti(path, _reversed(numbers[volume.labels]), _affine(volume), IDS)


def _reversed(values: Array) -> Array:
    return np.ascontiguousarray(values.transpose(2, 1, 0))


def _affine(volume: PhantomCT) -> Array:
    # NIfTI's x grows to the patient's right and its y to the front: RAS, where the volume's own axes are left and back.
    (depth, height, width), (z, y, x) = volume.spacing, volume.origin
    return np.array([[-width, 0, 0, -x], [0, -height, 0, -y], [0, 0, depth, z], [0, 0, 0, 1]], float)
