"""A minimal digital radiograph, and what PS3.3 makes of its values, written out pixel by pixel."""

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

RAMP = np.tile(np.linspace(0, 4000, 64).astype(np.uint16), (48, 1))


def save(path, values, stored=12, **facts):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    data.Rows, data.Columns = values.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * values.dtype.itemsize, stored, stored - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PixelData = values.tobytes()
    for key, value in facts.items():
        setattr(data, key, value)
    data.save_as(path)
    return data


def window(values, centre, width):
    """PS3.3 C.11.2.1.2.1, pixel by pixel."""
    result = np.zeros(values.shape)
    for place, x in np.ndenumerate(values.astype(float)):
        if x <= centre - 0.5 - (width - 1) / 2:
            result[place] = 0
        elif x > centre - 0.5 + (width - 1) / 2:
            result[place] = 255
        else:
            result[place] = ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return result


def close(found, expected):
    return np.abs(found[0] - expected).max() <= 0.51
