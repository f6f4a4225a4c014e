"""What a series' elements say of its values: padding, quantity, modality; and what of them must not be told on."""

import warnings

import numpy as np
import pydicom
import pytest
from ct_files import index_volume, save_series, save_slice
from pydicom.uid import MRImageStorage, RLELossless, RTStructureSetStorage

from common.files import UnreadableImage
from common.records import Corpus, Record
from common.volumes import Preparation, open_volumes, read_volume
from common.volumes.doubts import Doubt

HU = index_volume() * 3 - 200
EDGE = np.indices(HU.shape)[2] == 0  # of the round picture


def silent(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_volume(path).hounsfield


def refused(path, *fragments):
    with pytest.raises(UnreadableImage) as error:
        read_volume(path)
    for fragment in (str(path), *fragments):
        assert fragment in str(error.value), str(error.value)
    return str(error.value)


def padded(folder, stored, padding, **facts):
    """A series of stored numbers with padding at its edge; `padding` may be several values."""
    stored = stored.copy()
    stored[EDGE] = np.resize(np.asarray(padding).astype(stored.dtype), EDGE.sum())
    save_series(folder, stored, **facts)
    return np.where(EDGE, -1024, HU)


def test_a_spacing_that_no_person_has_is_said(tmp_path):
    """Metres where DICOM has millimetres."""
    save_series(tmp_path / "a", HU.astype(np.int16), spacing=(3.0, 0.0007, 0.0007))
    with pytest.warns(UserWarning, match=r"a: its voxels have 3 x 0.0007 x 0.0007 mm.*\(mm, as DICOM has it\)"):
        read_volume(tmp_path / "a")


def test_padding_is_air_before_it_is_rescaled(tmp_path):
    """-2000 - 1024 would be -3024, and 4095 a metal."""
    signed = {"RescaleIntercept": -24}
    expected = padded(tmp_path / "a", (HU + 24).astype(np.int16), -2000, PixelPaddingValue=-2000, **signed)
    assert np.array_equal(silent(tmp_path / "a"), expected)
    unsigned = {"RescaleIntercept": -1024, "BitsStored": 12, "HighBit": 11}
    padded(tmp_path / "b", (HU + 1024).astype(np.uint16), 4095, PixelPaddingValue=4095, **unsigned)
    assert np.array_equal(silent(tmp_path / "b"), expected)
    several = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 20, **unsigned}
    padded(tmp_path / "c", (HU + 1024).astype(np.uint16), [0, 7, 20], **several)
    assert np.array_equal(silent(tmp_path / "c"), expected)
    turned = {"PixelPaddingValue": 20, "PixelPaddingRangeLimit": 0, **unsigned}  # from the limit to the value
    padded(tmp_path / "d", (HU + 1024).astype(np.uint16), [0, 7, 20], **turned)
    assert np.array_equal(silent(tmp_path / "d"), expected)


@pytest.mark.parametrize("bits", [16, 12])
def test_padding_whose_sign_or_bits_are_not_the_pixels(tmp_path, bits):
    """Written unsigned beside signed pixels, and above the bits that are stored, where masking makes tissue of it."""
    facts = {"BitsStored": bits, "HighBit": bits - 1}
    expected = padded(tmp_path / "a", HU.astype(np.int16), -2000, **facts)
    padded(tmp_path / "b", (HU + 1024).astype(np.uint16), 63536, RescaleIntercept=-1024, **facts)
    for path in tmp_path.glob("*/*.dcm"):
        data = pydicom.dcmread(path)
        data.add_new("PixelPaddingValue", "US", 63536)
        data.save_as(path)
    for name in ("a", "b"):
        assert np.array_equal(silent(tmp_path / name), expected)


def test_padding_that_lossy_compression_has_changed(tmp_path):
    facts = {"PixelPaddingValue": -2000, "LossyImageCompression": "01"}
    expected = padded(tmp_path / "a", HU.astype(np.int16), [-2003, -1990, -1850], **facts)
    assert np.array_equal(silent(tmp_path / "a"), expected)
    padded(tmp_path / "b", HU.astype(np.int16), [-2003, -1990, -1850], PixelPaddingValue=-2000)
    assert read_volume(tmp_path / "b").hounsfield.min() == -2003  # without loss these are what was measured


def test_padding_with_a_value_of_tissue_is_said(tmp_path):
    expected = padded(tmp_path, HU.astype(np.int16), 1000, PixelPaddingValue=1000)
    with pytest.warns(UserWarning, match="PixelPaddingValue of its slices is 1000 HU"):
        assert np.array_equal(read_volume(tmp_path).hounsfield, expected)


@pytest.mark.parametrize(
    ("kind", "quantity"), [("Z_EFF", "atomic number"), ("MGML", "mg/ml"), ("ED", "electron density")]
)
def test_maps_of_other_quantities_are_refused(tmp_path, kind, quantity):
    save_series(tmp_path, HU.astype(np.int16), RescaleType=kind)
    refused(tmp_path, quantity, f"RescaleType {kind}")


def test_hounsfield_units_by_their_names(tmp_path):
    for number, kind in enumerate(("HU", "US", "")):
        save_series(tmp_path / str(number), HU.astype(np.int16), RescaleType=kind)
        assert np.array_equal(silent(tmp_path / str(number)), HU)
    save_series(tmp_path / "x", HU.astype(np.int16), RescaleType="HU_MOD")
    with pytest.warns(UserWarning, match="RescaleType of its slices is not HU but HU_MOD"):
        read_volume(tmp_path / "x")


@pytest.mark.parametrize("modality", ["MR", "PT", "SEG", "NM"])
def test_other_modalities_are_refused_by_name(tmp_path, modality):
    save_series(tmp_path, HU.astype(np.int16), Modality=modality)
    refused(tmp_path, f"has the modality {modality}")


def test_without_a_modality_the_class_of_the_object_tells(tmp_path):
    save_series(tmp_path / "mr", HU.astype(np.int16), Modality=None, SOPClassUID=MRImageStorage)
    refused(tmp_path / "mr", "MR Image Storage")
    save_series(tmp_path / "ct", HU.astype(np.int16), Modality=None)
    assert np.array_equal(silent(tmp_path / "ct"), HU)


def test_a_structure_set_is_no_series_and_may_lie_beside_one(tmp_path):
    data = save_slice(tmp_path / "rt" / "rt.dcm", HU[0].astype(np.int16), (0, 0, 0))
    for name in ("Rows", "Columns", "PixelData"):
        delattr(data, name)
    data.Modality, data.SOPClassUID, data.SeriesInstanceUID = "RTSTRUCT", RTStructureSetStorage, "9.9"
    data.save_as(tmp_path / "rt" / "rt.dcm")
    refused(tmp_path / "rt", "no DICOM slice, only objects of the modality RTSTRUCT")
    save_series(tmp_path / "rt", HU.astype(np.int16))
    assert np.array_equal(silent(tmp_path / "rt"), HU)


@pytest.mark.parametrize("suffix", [".dcm", ""])
@pytest.mark.parametrize("first", [b"\x02\x00\x02\x00UI", b"\x08\x00\x16\x00UI"], ids=["meta", "no meta"])
def test_slices_without_preamble_are_read(tmp_path, suffix, first):
    """From the meta information on, or without that too."""
    save_series(tmp_path, HU.astype(np.int16))
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        path.unlink()
        path.with_suffix(suffix).write_bytes(content[content.index(first) :])
    assert np.array_equal(silent(tmp_path), HU)


def test_text_about_the_patient_reaches_neither_message_nor_cache(tmp_path, caplog):
    secret = {name: f"{name}SECRET" for name in ("PatientName", "PatientID", "SeriesDescription", "StudyDescription")}
    secret |= {"ProtocolName": "ProtocolSECRET", "ImageComments": "CommentSECRET"}
    save_series(tmp_path / "data" / "two", HU.astype(np.int16), **secret)
    save_slice(tmp_path / "data" / "two" / "z.dcm", HU[0].astype(np.int16), (0, 0, 90), uid="9.8.7", **secret)
    assert "SECRET" not in refused(tmp_path / "data" / "two", "2 series")
    save_series(tmp_path / "data" / "cut", HU.astype(np.int16), **secret)
    (last,) = (tmp_path / "data" / "cut").glob("*-3.dcm")
    last.write_bytes(last.read_bytes()[:-9])
    save_series(tmp_path / "data" / "good", HU.astype(np.int16), **secret)
    names = ("two", "cut", "good")
    records = tuple(Record(str(tmp_path / "data" / name), name, "train", "toy") for name in names)
    found = open_volumes(Corpus("toy", records), tmp_path / "cache", Preparation(), 1, progress=False)
    assert len(found) == 1 and "2 series" in caplog.text and "SECRET" not in caplog.text
    written = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert written and not any(b"SECRET" in content for content in written)


def test_compressed_slices_have_their_padding_too(tmp_path):
    stored = np.tile((HU + 1024).astype(np.uint16), (1, 8, 8))
    stored[:, :, :6] = 0
    for index, pixels in enumerate(stored):
        facts = {"RescaleIntercept": -1000, "PixelPaddingValue": 0, "BitsStored": 12, "HighBit": 11}
        data = save_slice(tmp_path / f"{index}.dcm", pixels, (0, 0, 3 * index), **facts)
        data.compress(RLELossless)
        data.save_as(tmp_path / f"{index}.dcm")
    found = silent(tmp_path)
    assert (found[:, :, :6] == -1024).all() and np.array_equal(found[:, :, 6:], stored[:, :, 6:].astype(int) - 1000)


def test_metal_of_more_bits_than_are_declared_stays_metal(tmp_path):
    stored = (HU + 1024).astype(np.uint16)
    stored[EDGE] = 4096 + 1724  # 4796 HU, of which twelve bits would leave 700
    save_series(tmp_path, stored, RescaleIntercept=-1024, BitsStored=12, HighBit=11)
    with pytest.warns(Doubt, match="more bits than their BitsStored says: they are kept whole"):
        volume = read_volume(tmp_path)
    assert np.array_equal(volume.hounsfield, np.where(EDGE, 4796, HU))
