"""What the header of a radiograph in DICOM says of its patient and its pixels, without reading these."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files.errors import UnreadableImage
from ...files.notices import add_notice, first_few
from .person import age_of, sex_of
from .suffixes import is_slice

TAGS = ("PatientID", "PatientSex", "PatientAge", "ViewPosition", "PixelSpacing")


@dataclass(frozen=True)
class Header:
    """Facts of one file; None where it is silent or says nothing possible.

    Args:
        patient_id: as the file writes it.
        sex: "F" or "M".
        age: in years.
        view: projection, such as "PA".
        pixel_spacing: millimetres between pixels, (row, col).
    """

    patient_id: str | None = None
    sex: str | None = None
    age: float | None = None
    view: str | None = None
    pixel_spacing: tuple[float, float] | None = None


def read_header(path: Path) -> Header:
    """Read the header of a DICOM file.

    Raises:
        UnreadableImage: no such file, or no DICOM.
    """
    import pydicom

    with pydicom.config.disable_value_validation():  # of each of RSNA's files it would warn: an age is 51, not 051Y
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        except Exception as error:  # pydicom raises nearly anything on a damaged file
            reason = f"its DICOM header cannot be read ({type(error).__name__}: {error})"
            raise UnreadableImage(path, reason, "Get the file again") from None
        return Header(
            patient_id=_text(dataset, "PatientID") or None,
            sex=sex_of(_text(dataset, "PatientSex")),
            age=age_of(_text(dataset, "PatientAge")),
            view=_text(dataset, "ViewPosition").upper() or None,
            pixel_spacing=_spacing(dataset),
        )


def read_headers(images: Sequence[Path]) -> dict[Path, Header]:
    """Return the headers of the images that are DICOM files by their suffix; copies in another format have none.

    A file that cannot be read is named in a notice and has an empty header: a store leaves it out.
    """
    headers, unreadable = {}, []
    for image in images:
        if is_slice(image):
            try:
                headers[image] = read_header(image)
            except UnreadableImage:
                unreadable.append(image.name)
                headers[image] = Header()
    if unreadable:
        add_notice(f"{len(unreadable):,} files have a DICOM header that cannot be read ({first_few(unreadable)})")
    return headers


def _text(dataset: Any, name: str) -> str:
    return str(dataset.get(name) or "").strip()


def _spacing(dataset: Any) -> tuple[float, float] | None:
    try:
        row, col = map(float, dataset.get("PixelSpacing") or ())
    except (TypeError, ValueError):
        return None
    return (row, col) if all(0 < value < math.inf for value in (row, col)) else None
