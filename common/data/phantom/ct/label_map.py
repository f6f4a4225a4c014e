"""Phantom volumes and their label maps as NIfTI files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...formats.nifti_writer import write_nifti
from ..solids import Array
from .volume import NAMES, PhantomCT

# Of TotalSegmentator's version 2, task `total`.
IDS = {
    "spleen": 1,
    "kidney_right": 2,
    "kidney_left": 3,
    "gallbladder": 4,
    "liver": 5,
    "stomach": 6,
    "lung_upper_lobe_left": 10,
    "lung_lower_lobe_left": 11,
    "lung_upper_lobe_right": 12,
    "lung_middle_lobe_right": 13,
    "lung_lower_lobe_right": 14,
    "esophagus": 15,
    "trachea": 16,
    "small_bowel": 18,
    "duodenum": 19,
    "colon": 20,
    "urinary_bladder": 21,
    "heart": 51,
    "aorta": 52,
    "superior_vena_cava": 62,
    "inferior_vena_cava": 63,
}


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
