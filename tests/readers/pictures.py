"""Small pictures for the trees that readers' tests build."""

from pathlib import Path

import numpy as np
from PIL import Image


def save_grey(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), colours: int = 1) -> Path:
    """Write noise of (height, width), the same for the same seed, in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if colours == 1 else (*size, colours)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, shape, np.uint8)).save(path)
    return path


def save_dicom(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), **facts: object) -> Path:
    """Write 8-bit noise of (height, width) as uncompressed DICOM; facts are further elements by keyword."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset

    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, "1.2"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.Rows, dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = np.random.default_rng(seed).integers(0, 255, size, np.uint8).tobytes()
    with pydicom.config.disable_value_validation():  # publishers write ages such as 51, too
        for name, value in facts.items():
            setattr(dataset, name, value)
        dataset.save_as(path, enforce_file_format=True)
    return path


def by_name(corpus):
    """Name of the file -> record."""
    return {Path(record.image).name: record for record in corpus.records}
