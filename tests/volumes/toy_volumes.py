"""A small corpus of volumes whose values tell their place."""

import numpy as np
from ct_files import ras_affine, save_nifti

from common.records import Corpus, Record
from common.volumes import Preparation, open_volumes

SPACING = (3.0, 1.5, 1.5)
SHAPE = (10, 12, 14)
PREPARATION = Preparation(structures=("liver", "spleen"), label_table="v2")


def values_of(number, shape=SHAPE):
    """No value occurs twice, so that a value tells its place."""
    return (np.arange(np.prod(shape)).reshape(shape) - 700 + number).astype(np.int16)


def write(root, count=4):
    """Volumes already at the final spacing, so that what comes out is what went in; every second has organs."""
    records = []
    for number in range(count):
        image = save_nifti(root / f"v{number}.nii.gz", values_of(number), ras_affine(SPACING))
        label_map = None
        if number % 2 == 0:
            organs = np.where(values_of(number) % 3 == 0, 5, 0).astype(np.uint8)
            label_map = str(save_nifti(root / "m" / f"v{number}.nii.gz", organs, ras_affine(SPACING)))
        split = ("train", "test")[number % 2]
        labels = (float(number), 1.0)
        records.append(
            Record(str(image), f"p{number}", split, "toy", labels, study_id=f"s{number}", label_map=label_map)
        )
    return Corpus("toy", tuple(records), ("A", "B"))


def opened(corpus, directory, workers=1, preparation=PREPARATION):
    return open_volumes(corpus, directory, preparation, workers, progress=False)
