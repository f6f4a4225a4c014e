"""Volumes that tests write: every voxel tells where in the patient it lies."""

import nibabel
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SHAPE = (4, 5, 6)
SPACING = (3.0, 1.25, 0.75)
ORIGIN = (-700.0, -120.0, -90.5)


def index_volume(shape=SHAPE):
    """Int16 (D, H, W) whose values are 100 d + 10 h + w, above any threshold for air."""
    d, h, w = np.indices(shape)
    return (100 * d + 10 * h + w).astype(np.int16)


def ras_affine(spacing=SPACING, origin=ORIGIN):
    """NIfTI affine of an array (D, H, W) in our axes."""
    affine = np.zeros((4, 4))
    for axis, (row, sign) in enumerate(((2, 1), (1, -1), (0, -1))):
        affine[row, axis], affine[row, 3] = sign * spacing[axis], sign * origin[axis]
    affine[3, 3] = 1
    return affine


def save_nifti(path, values, affine=None, header=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, ras_affine() if affine is None else affine)
    for extension in header or ():
        image.header.extensions.append(extension)
    nibabel.save(image, path)
    return path


def label_extension(names):
    """TotalSegmentator's header extension, as its files have it."""
    labels = "".join(
        f'<Label Key="{number}" Red="0.0" Green="1.0" Blue="0.0" Alpha="1"><![CDATA[{name}]]></Label>\n'
        for name, number in names.items()
    )
    text = '<?xml version="1.0" encoding="UTF-8"?> <CaretExtension>  <VolumeInformation Index="0">   <LabelTable>\n'
    text += f"{labels}</LabelTable>  <StudyMetaDataLinkSet>\n  </StudyMetaDataLinkSet>\n"
    text += "  <VolumeType><![CDATA[Label]]></VolumeType>\n  </VolumeInformation>\n</CaretExtension>"
    return nibabel.nifti1.Nifti1Extension(0, text.encode())


def save_slice(path, pixels, position, row=(1, 0, 0), column=(0, 1, 0), spacing=SPACING[1:], uid="1.2.3", **facts):
    """Write one CT slice; `position`, `row` and `column` are DICOM's (x, y, z)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"{uid}.{abs(hash(str(path))) % 10**9}"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.Modality = uid, "CT"
    data.ImagePositionPatient, data.ImageOrientationPatient = list(map(float, position)), [*map(float, (*row, *column))]
    data.PixelSpacing = list(spacing)
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    data.PixelData = np.ascontiguousarray(pixels).tobytes()
    for key, value in facts.items():
        if value is None:
            delattr(data, key)
        else:
            setattr(data, key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path)
    return data


def save_series(folder, values, spacing=SPACING, origin=ORIGIN, **facts):
    """Write an axial series of an array in our axes; slices are named in an order that means nothing."""
    for index, pixels in enumerate(values):
        z, y, x = origin
        position = (x, y, z + spacing[0] * index)
        name = f"{(index * 7 + 3) % len(values):03d}-{index}.dcm"
        save_slice(folder / name, pixels, position, spacing=spacing[1:], **facts)
    return folder
