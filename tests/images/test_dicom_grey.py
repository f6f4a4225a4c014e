"""The grey pipeline of DICOM in every order and combination, against PS3.3 written out pixel by pixel."""

import numpy as np
import pydicom
import pytest
from dicom_files import RAMP, close, save, window
from pydicom.sequence import Sequence

from common.files import DataNotice
from common.images import read_image


def table(entries, bits=16, first=0, count=None, packed=False):
    item = pydicom.Dataset()
    item.LUTDescriptor = [len(entries) if count is None else count, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.LUTData = np.asarray(entries).astype("u1" if packed else "<u2").tobytes()
    item["LUTData"].VR = "OW"
    return Sequence([item])


def looked_up(values, entries, first, white):
    places = [min(max(int(value) - first, 0), len(entries) - 1) for value in np.rint(values).ravel()]
    return np.array([entries[place] for place in places]).reshape(values.shape) / white * 255


CURVE = [round((number / 4095) ** 3 * 4095) for number in range(4096)]


@pytest.mark.parametrize(("slope", "intercept", "first"), [(1, 0, 0), (0.5, -1000, -1000), (2, 24, 100)])
def test_a_voi_table_follows_the_rescaling(tmp_path, slope, intercept, first):
    facts = {"RescaleSlope": slope, "RescaleIntercept": intercept, "WindowCenter": 1, "WindowWidth": 2}
    save(tmp_path / "a.dcm", RAMP, VOILUTSequence=table(CURVE, 12, first), **facts)
    assert close(read_image(tmp_path / "a.dcm"), looked_up(RAMP * slope + intercept, CURVE, first, 4095))


@pytest.mark.parametrize("first", [-1000, 64536])  # the same sixteen bits, with and without sign
def test_the_first_value_of_a_table_may_be_negative_though_no_pixel_is(tmp_path, first):
    values = RAMP // 2 + 1000
    facts = {"RescaleSlope": 1, "RescaleIntercept": -1000}
    save(tmp_path / "a.dcm", values, VOILUTSequence=table(CURVE, 12, first), **facts)
    assert close(read_image(tmp_path / "a.dcm"), looked_up(values - 1000, CURVE, -1000, 4095))


def test_a_modality_table_is_followed_by_a_voi_table_or_a_window(tmp_path):
    halved = [number // 2 for number in range(4096)]
    modality = np.array(halved)[RAMP]
    save(tmp_path / "t.dcm", RAMP, ModalityLUTSequence=table(halved), VOILUTSequence=table(CURVE, 12))
    assert close(read_image(tmp_path / "t.dcm"), looked_up(modality, CURVE, 0, 4095))
    save(tmp_path / "w.dcm", RAMP, ModalityLUTSequence=table(halved), WindowCenter=1000, WindowWidth=800)
    assert close(read_image(tmp_path / "w.dcm"), window(modality, 1000, 800))


def test_tables_of_65536_entries_and_of_eight_bits_packed_or_not(tmp_path):
    wide = RAMP * 16
    inverse = [65535 - number for number in range(65536)]
    save(tmp_path / "wide.dcm", wide, 16, VOILUTSequence=table(inverse, 16, count=0))
    assert close(read_image(tmp_path / "wide.dcm"), (65535.0 - wide) / 65535 * 255)
    eight = [(255 - number // 16) for number in range(4096)]
    for name, facts in {"packed": {"bits": 8, "packed": True}, "words": {"bits": 8}, "lie": {"bits": 16}}.items():
        save(tmp_path / f"{name}.dcm", RAMP, VOILUTSequence=table(eight, **facts))
        assert close(read_image(tmp_path / f"{name}.dcm"), np.array(eight)[RAMP].astype(float)), name


def test_empty_optional_elements_are_as_good_as_absent(tmp_path):
    names = ("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "VOILUTFunction")
    empty = dict.fromkeys(names) | {"VOILUTSequence": Sequence([]), "ModalityLUTSequence": Sequence([])}
    save(tmp_path / "a.dcm", RAMP, **empty, PresentationLUTShape="", LossyImageCompression="", NumberOfFrames=None)
    assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)
    save(tmp_path / "b.dcm", RAMP, RescaleSlope=None, RescaleIntercept=-100, WindowCenter=900, WindowWidth=1000)
    assert close(read_image(tmp_path / "b.dcm"), window(RAMP - 100.0, 900, 1000))


def test_the_first_window_that_shows_something_counts(tmp_path):
    save(tmp_path / "a.dcm", RAMP, WindowCenter=[30000, 2000.5], WindowWidth=[10, 1500.25])
    assert close(read_image(tmp_path / "a.dcm"), window(RAMP, 2000.5, 1500.25))


@pytest.mark.parametrize(("function", "width"), [("LINEAR", 0), ("LINEAR", 0.5), ("LINEAR_EXACT", 0), ("SIGMOID", -3)])
def test_a_width_that_its_function_does_not_have_is_not_used_and_said(tmp_path, function, width):
    save(tmp_path / "a.dcm", RAMP, WindowCenter=2000, WindowWidth=width, VOILUTFunction=function)
    with pytest.warns(DataNotice, match=r"a\.dcm: its window"):
        assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)


def test_a_narrow_exact_window_and_a_width_of_one(tmp_path):
    facts = {"RescaleSlope": 0.00025, "RescaleIntercept": 0, "WindowCenter": 0.5, "WindowWidth": 0.5}
    save(tmp_path / "e.dcm", RAMP, VOILUTFunction="LINEAR_EXACT", **facts)
    assert close(read_image(tmp_path / "e.dcm"), np.clip((RAMP * 0.00025 - 0.5) / 0.5 + 0.5, 0, 1) * 255)
    save(tmp_path / "one.dcm", RAMP, WindowCenter=2000.5, WindowWidth=1)
    assert close(read_image(tmp_path / "one.dcm"), np.where(RAMP > 2000, 255, 0))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("shape", ["INVERSE", "IDENTITY", None])
def test_presentation_inverts_once_and_a_contradiction_is_said(tmp_path, photometric, shape, recwarn):
    save(tmp_path / "a.dcm", RAMP, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    expected = RAMP / 4000 * 255
    assert close(read_image(tmp_path / "a.dcm"), 255 - expected if inverted else expected)
    agree = (photometric, shape) in (("MONOCHROME1", "INVERSE"), ("MONOCHROME2", "IDENTITY")) or shape is None
    assert any("contradicts" in str(told.message) for told in recwarn) != agree


@pytest.mark.parametrize(("high", "signed"), [(11, 0), (15, 0), (13, 0), (15, 1), (12, 1)])
def test_bits_around_the_stored_ones_are_taken_away(tmp_path, high, signed):
    wanted = RAMP.astype(int) - (2000 if signed else 0)
    below = high - 11
    noise = np.random.default_rng(0).integers(0, 1 << 16, RAMP.shape)
    around = noise & ~(0xFFF << below) & 0xFFFF
    raw = (((wanted & 0xFFF) << below) | around).astype(np.uint16)
    save(tmp_path / "a.dcm", raw, HighBit=high, PixelRepresentation=signed)
    assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)


@pytest.mark.parametrize(
    ("facts", "values", "dtype"),
    [
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 60}, (0, 50), np.uint16),
        ({"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 4050}, (4095, 4060), np.uint16),
        ({"PixelPaddingValue": -2000}, (-2000, -2000), np.int16),
        ({"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1900}, (-2000, -1950), np.int16),
        ({"PixelPaddingValue": 63536}, (63536, 63536), np.uint16),
        ({"PixelPaddingValue": 1500}, (1500, 1500), np.uint16),
    ],
)
@pytest.mark.parametrize("windowed", [False, True])
def test_padding_is_black_and_does_not_count(tmp_path, facts, values, dtype, windowed):
    real = (RAMP.astype(int) // 4 + (2000 if dtype is np.uint16 else -1000)).astype(dtype)
    padded = real.copy()
    padded[:, :20], padded[:10] = values[0], values[1]
    shown = {"WindowCenter": 2500, "WindowWidth": 1000} if windowed and dtype is np.uint16 else {}
    save(tmp_path / "a.dcm", padded, 12 if dtype is np.uint16 else 16, **facts, **shown)
    found = read_image(tmp_path / "a.dcm")[0]
    rows, columns = slice(10, None), slice(20, None)
    kept = real[rows, columns].astype(float)
    expected = window(kept, 2500, 1000) if shown else (kept - kept.min()) / (kept.max() - kept.min()) * 255
    assert np.abs(found[rows, columns] - expected).max() <= 0.51
    assert not found[:10].any() and not found[:, :20].any()


def test_padding_declared_in_the_type_that_the_pixels_do_not_have(tmp_path):
    values = (RAMP // 4).astype(np.int16)
    values[:10] = -2000
    data = save(tmp_path / "a.dcm", values, 16)
    data.add_new("PixelPaddingValue", "US", 63536)
    data.save_as(tmp_path / "a.dcm")
    found = read_image(tmp_path / "a.dcm")[0]
    assert not found[:10].any() and found[10:].min() == 0 and found[10:].max() == 255


def test_a_window_in_the_functional_groups_of_an_enhanced_object(tmp_path):
    voi, rescale, groups = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    voi.WindowCenter, voi.WindowWidth = 1000, 1200
    rescale.RescaleSlope, rescale.RescaleIntercept = 0.5, 10
    groups.FrameVOILUTSequence, groups.PixelValueTransformationSequence = Sequence([voi]), Sequence([rescale])
    save(tmp_path / "a.dcm", RAMP, SharedFunctionalGroupsSequence=Sequence([groups]), NumberOfFrames=1)
    assert close(read_image(tmp_path / "a.dcm"), window(RAMP * 0.5 + 10, 1000, 1200))
