"""One DICOM series of CT slices in a folder."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..files.errors import Unusable
from ..images.formats import format_of
from .dicom_positions import slice_step
from .dicom_values import check_quantity, slice_hounsfield
from .plausible_size import check_voxels

# Publishers and archives put these beside the slices; whatever else lies there must be a slice.
BESIDE = {*(".csv", ".txt", ".json", ".gz", ".zip", ".xlsx", ".md", ".pdf", ".xml", ".yaml", ".nii", ".html")}
BESIDE_NAMES = {"DICOMDIR", "LICENSE", "VERSION", "Thumbs.db"}
GEOMETRY = ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing")
HEAD_BYTES = 4096
RESCALE = ("RescaleSlope", "RescaleIntercept")


def load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the series in Hounsfield units, axes (slice, row, column), and its affine (see `geometry`).

    Slices are sorted by ImagePositionPatient along the normal of their planes; neither file names nor
    InstanceNumber count. Rescale slope and intercept are each slice's own. MONOCHROME1 does not invert: it says
    how a viewer shows the values, and Hounsfield units are the output of the modality LUT before that
    (DICOM PS3.3 C.7.6.3.1.2, C.11.1).

    Raises:
        Unusable: no slice, several series, no CT or no Hounsfield units, slices that are missing, repeated, of
            different sizes or orientations, or without geometry or rescale values.
    """
    slices = _one_series(_datasets(folder))
    for path, dataset in slices:
        _check_slice(path, dataset)
    _check_alike(slices)
    first = slices[0][1]
    along_row, along_column = np.reshape(np.asarray(first.ImageOrientationPatient, dtype=float), (2, 3))
    positions = np.array([dataset.ImagePositionPatient for _, dataset in slices], dtype=float)
    order = np.argsort(positions @ np.cross(along_row, along_column), kind="stable")
    slices = [slices[index] for index in order]
    step = slice_step([path.name for path, _ in slices], positions[order], np.cross(along_row, along_column))
    between_rows, between_columns = (float(value) for value in first.PixelSpacing)
    affine = np.eye(4)
    # DICOM's (x, y, z) reversed; the first three numbers of the orientation say where a row runs, so columns count.
    affine[:3, :3] = np.stack([step, along_column * between_rows, along_row * between_columns], axis=1)[::-1]
    affine[:3, 3] = positions[order[0]][::-1]
    values = np.stack([slice_hounsfield(path, dataset) for path, dataset in slices])
    check_voxels(affine, values.shape, "mm, as DICOM has it")
    return values, affine


def _datasets(folder: Path) -> list[tuple[Path, Any]]:
    import pydicom
    from pydicom.errors import InvalidDicomError

    found, others = [], set()
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in BESIDE_NAMES or path.suffix.lower() in BESIDE or path.is_dir():
            continue
        try:
            # A file without the preamble, as some archives write them, is told by its first element.
            dataset = pydicom.dcmread(path, force=_is_dicom(path))
        except (InvalidDicomError, EOFError, OSError) as error:
            remedy = "Get the file again, or take it out of the folder if it is no slice"
            raise Unusable(f"{path.name} is no readable DICOM file ({error})", remedy) from None
        if "Rows" in dataset:
            found.append((path, dataset))
        else:
            others.add(_modality(dataset))
    if not found:
        beside = f", only objects of the modality {', '.join(sorted(others))}" if others else ""
        raise Unusable(f"it holds no DICOM slice{beside}", "Name the folder in which the slices of one series lie")
    return found


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return format_of(file.read(HEAD_BYTES), path) == "dicom"


def _modality(dataset: Any) -> str:
    """The modality, or without one what the object is; a file that says neither counts as CT."""
    kind = getattr(dataset.get("SOPClassUID"), "name", "")
    return str(dataset.get("Modality") or ("CT" if not kind or "CT Image" in kind or "Capture" in kind else kind))


def _one_series(slices: list[tuple[Path, Any]]) -> list[tuple[Path, Any]]:
    counts = Counter(str(dataset.get("SeriesInstanceUID", "")) for _, dataset in slices)
    if len(counts) > 1:
        # Not their descriptions: people write names into these, and logs and caches would keep them.
        named = "; ".join(f"{uid or 'unnamed'} ({count} slices)" for uid, count in counts.items())
        raise Unusable(f"it holds {len(counts)} series: {named}", "Put each series into a folder of its own")
    return slices


def _check_slice(path: Path, dataset: Any) -> None:
    modality = _modality(dataset)
    if modality != "CT":
        raise Unusable(f"{path.name} has the modality {modality}", "Only CT has Hounsfield units: leave it out")
    check_quantity(path, dataset)
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        problem = f"{path.name} has {dataset.NumberOfFrames} frames"
        raise Unusable(problem, "Save the multi-frame object as single slices or as NIfTI")
    missing = [name for name in (*GEOMETRY, *RESCALE) if dataset.get(name) in (None, "")]
    if missing:
        remedy = "Without it the slice has no place, size or Hounsfield units: get the original series"
        raise Unusable(f"{path.name} has no {missing[0]}", remedy)
    row, column = np.reshape(np.asarray(dataset.ImageOrientationPatient, dtype=float), (2, 3))
    if max(abs(row @ row - 1), abs(column @ column - 1), abs(row @ column)) > 1e-3:
        problem = f"the ImageOrientationPatient of {path.name} are no two directions at right angles"
        raise Unusable(problem, "Get the file again")


def _check_alike(slices: list[tuple[Path, Any]]) -> None:
    first_path, first = slices[0]
    for what, names in (
        ("size", ("Rows", "Columns")),
        ("pixel spacing", ("PixelSpacing",)),
        ("orientation", ("ImageOrientationPatient",)),
    ):
        wanted = np.hstack([first.get(name) for name in names]).astype(float)
        for path, dataset in slices:
            found = np.hstack([dataset.get(name) for name in names]).astype(float)
            if np.abs(found - wanted).max() > 1e-3:
                stated = " and ".join(
                    f"{name} ({', '.join(f'{value:g}' for value in values)})"
                    for name, values in ((first_path.name, wanted), (path.name, found))
                )
                problem = f"its slices differ in {what}: {stated}"
                raise Unusable(problem, "They are no one volume: keep one kind in the folder")
