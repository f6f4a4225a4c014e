"""Writing NIfTI: whole or not at all, label maps with the header in which TotalSegmentator names its labels."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...files import write_durably

LEVEL = 1  # of compression: a label map shrinks a hundredfold at any, and the others take many times as long


def write_nifti(path: Path, values: np.ndarray, affine: np.ndarray, names: Mapping[str, int] | None = None) -> None:
    """Write a `.nii.gz` file; a kill leaves the earlier one or the new one.

    Args:
        path: of the file; its folder is made.
        values: (X, Y, Z) in the order of the file's axes.
        affine: (4, 4), index to mm towards the patient's right, front and head.
        names: of the labels, to their values; None for a picture.
    """
    from nibabel.nifti1 import Nifti1Extension, Nifti1Image

    image = Nifti1Image(values, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    if names is not None:
        image.header.extensions.append(Nifti1Extension(0, label_table(names).encode()))
    # Without name and time in the gzip header, the same values are the same bytes.
    write_durably(gzip.compress(image.to_bytes(), LEVEL, mtime=0), path)


def label_table(names: Mapping[str, int]) -> str:
    """Return the XML that names the values of a label map, as Slicer and Connectome Workbench read it.

    Args:
        names: to the values.
    """
    rows = []
    for name, number in sorted(names.items(), key=lambda item: item[1]):
        red, green, blue = (round(0.2 + 0.8 * (number * step % 97) / 96, 3) for step in (31, 57, 83))
        colour = f'Red="{red}" Green="{green}" Blue="{blue}" Alpha="1"'
        rows.append(f'<Label Key="{number}" {colour}><![CDATA[{name}]]></Label>')
    return (
        '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension>  <VolumeInformation Index="0">   <LabelTable>\n'
        + "\n".join(rows)
        + "\n  </LabelTable>  <VolumeType><![CDATA[Label]]></VolumeType>   </VolumeInformation></CaretExtension>"
    )
