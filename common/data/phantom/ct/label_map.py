"""Writing volumes and label maps as NIfTI, with the header in which TotalSegmentator names its labels."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

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
    _write(volume.hounsfield, volume, path, "")


def write_labels(volume: PhantomCT, path: Path) -> None:
    """Write the organs as uint8 NIfTI on the volume's own grid, with TotalSegmentator's numbers and names."""
    numbers = np.array([IDS.get(name, 0) for name in NAMES], np.uint8)
    _write(numbers[volume.labels], volume, path, label_table(IDS))


def label_table(names: dict[str, int]) -> str:
    """The XML in which TotalSegmentator names the values of a label map, read by Slicer and Connectome Workbench."""
    rows = []
    for name, number in sorted(names.items(), key=lambda item: item[1]):
        red, green, blue = (round(0.2 + 0.8 * (number * step % 97) / 96, 3) for step in (31, 57, 83))
        colour = f'Red="{red}" Green="{green}" Blue="{blue}" Alpha="1"'
        rows.append(f'<Label Key="{number}" {colour}><![CDATA[{escape(name)}]]></Label>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension>  <VolumeInformation Index="0">   <LabelTable>\n'
        + "\n".join(rows)
        + "\n  </LabelTable>  <VolumeType><![CDATA[Label]]></VolumeType>   </VolumeInformation></CaretExtension>"
    )


def _write(values: Array, volume: PhantomCT, path: Path, extension: str) -> None:
    from nibabel.nifti1 import Nifti1Extension, Nifti1Image

    # NIfTI's x grows to the patient's right and its y to the front: RAS, where the volume's own axes are left and back.
    (depth, height, width), (z, y, x) = volume.spacing, volume.origin
    affine = np.array([[-width, 0, 0, -x], [0, -height, 0, -y], [0, 0, depth, z], [0, 0, 0, 1]], float)
    image = Nifti1Image(np.ascontiguousarray(values.transpose(2, 1, 0)), affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    if extension:
        image.header.extensions.append(Nifti1Extension(0, extension.encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.to_filename(path)
