"""Write a volume as a DICOM series, in the encodings that RATIC's files come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..solids import Array
from .volume import PhantomCT

ROOT = "1.2.826.0.1.3680043.8.498"  # pydicom's, open to everybody
ENCODINGS = ("unsigned", "signed", "signed_12_bit")


def write_series(
    volume: PhantomCT, folder: Path, patient_id: int, series_id: int, first: int, downwards: bool, encoding: str
) -> Array:
    """Write one file per slice, named by its instance number.

    Args:
        volume: what to write; voxels outside of the scanner's circle become air.
        folder: made if missing.
        patient_id: of the headers.
        series_id: of the headers.
        first: smallest instance number.
        downwards: whether instance numbers grow towards the feet.
        encoding: "unsigned" 16 bits with an intercept of -1024, "signed" 16 bits, or "signed_12_bit": two's complement
            of 12 bits in 16, whose sign a reader must restore.

    Returns:
        (D,) instance number of each slice.

    Raises:
        ValueError: an unknown encoding.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding is {encoding!r}; it must be one of {', '.join(ENCODINGS)}")
    folder.mkdir(parents=True, exist_ok=True)
    count = len(volume.hounsfield)
    numbers = first + (np.arange(count)[::-1] if downwards else np.arange(count))
    stored, intercept = _stored(np.clip(volume.hounsfield, -1024, None), encoding)
    for index, number in enumerate(numbers.tolist()):
        dataset = _dataset(volume, index, patient_id, series_id, number)
        dataset.RescaleIntercept, dataset.RescaleSlope = intercept, 1
        dataset.PixelRepresentation = int(encoding != "unsigned")
        dataset.BitsAllocated, dataset.BitsStored = 16, 12 if encoding == "signed_12_bit" else 16
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelData = np.ascontiguousarray(stored[index]).astype("<u2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return numbers


def _stored(hounsfield: Array, encoding: str) -> tuple[Array, int]:
    if encoding == "unsigned":
        return hounsfield + 1024, -1024
    if encoding == "signed":
        return hounsfield.view(np.uint16), 0
    return np.clip(hounsfield, -2048, 2047).view(np.uint16) & 0x0FFF, 0


def _dataset(volume: PhantomCT, index: int, patient_id: int, series_id: int, number: int) -> Any:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    (depth, height, width), (z, y, x) = volume.spacing, volume.origin
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(f"{ROOT}.{series_id}.{number}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PatientID, dataset.PatientPosition = "CT", str(patient_id), "HFS"
    dataset.StudyInstanceUID = f"{ROOT}.{patient_id}"
    dataset.SeriesInstanceUID = f"{ROOT}.{series_id}"
    dataset.FrameOfReferenceUID = f"{dataset.StudyInstanceUID}.1"
    dataset.SeriesNumber, dataset.InstanceNumber = series_id, number
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [_decimal(value) for value in (x, y, z + index * depth)]
    dataset.PixelSpacing = [_decimal(height), _decimal(width)]
    dataset.SliceThickness = _decimal(depth)
    dataset.Rows, dataset.Columns = volume.hounsfield.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return dataset


def _decimal(value: float) -> str:
    # A decimal string of DICOM has 16 characters at most.
    return f"{value:.8g}"
