"""Sex, age, view and spacing, as tables and DICOM headers write them."""

import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset

from common.files import UnreadableImage
from common.files.notices import collect_notices
from common.readers.support.dicom_header import Header, read_header
from common.readers.support.person import age_of, ages_of, sex_of


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(("45", 45), ("0", 0), ("027Y", 27), ("45yrs", 45), ("45 yr", 45), ("63.0", 63), ("1 year old", 1)),
        *(("006M", 0.5), ("8 months", 2 / 3), ("014D", 14 / 365.25), ("052W", 364 / 365.25)),
        *(("90+", 90), (">89", 89), (">= 85", 85), ("85 or more", 85), ("over 90", 90), ("<1", None), ("300+", None)),
        *(("", None), ("?", None), ("nan", None), ("-3", None), ("155", None), ("45 66", None), ("1440M", 120)),
    ],
)
def test_ages_in_years(text, years):
    assert age_of(text) == (None if years is None else pytest.approx(years))


def test_ages_that_are_not_understood_are_counted():
    with collect_notices() as notices:
        assert ages_of(["45", "", "999", "45-50", "forty"], "labels.csv") == [45, None, None, None, None]
    assert [notice.partition(": ")[2] for notice in notices] == [
        "1 ages are above 120 years and left out (999)",
        "1 ages are written in a way that is not known here, and left out (45-50)",
    ]


def test_sexes():
    assert [sex_of(text) for text in ("M", "male", "F", " Female ", "O", "", "Unknown")] == [*"MMFF", None, None, None]


def write(path, **facts):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, "1.2"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    for name, value in facts.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_a_header(tmp_path):
    path = write(
        tmp_path / "one.dcm",
        **{"PatientID": "abc", "PatientSex": "F", "PatientAge": "034Y", "ViewPosition": "pa", "Rows": 4},
        PixelSpacing=["0.2", "0.1"],
    )
    assert read_header(path) == Header("abc", "F", 34.0, "PA", (0.2, 0.1))


def test_what_a_header_does_not_say_is_not_known(tmp_path):
    path = write(tmp_path / "one.dcm", PatientSex="O", PatientAge="999Y", PixelSpacing=["0", "0.1"])
    assert read_header(path) == read_header(write(tmp_path / "two.dcm", Rows=4)) == Header()


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "one.dcm").write_bytes(b"no DICOM at all")
    for name in ("one.dcm", "none.dcm"):
        with pytest.raises(UnreadableImage, match=rf"{name}: its DICOM header cannot be read"):
            read_header(tmp_path / name)
