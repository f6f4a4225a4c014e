import warnings

import numpy as np
import pydicom
import pytest
from dicom_files import close, save, window
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, RLELossless

from common.files import DataNotice, UnreadableImage
from common.images import image_size, read_image, read_mask
from common.images.formats.dicom import stored_values


@pytest.fixture
def ramp():
    return np.linspace(0, 4000, 1200).astype(np.uint16).reshape(30, 40)


def test_window_after_rescale(tmp_path, ramp):
    facts = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": [3000, 1], "WindowWidth": [2000, 2]}
    save(tmp_path / "a.dcm", ramp, **facts)
    assert close(read_image(tmp_path / "a.dcm"), window(ramp * 2.0 - 1000, 3000, 2000))
    assert image_size(tmp_path / "a.dcm") == (30, 40)


def test_monochrome1_is_inverted_once(tmp_path, ramp):
    save(tmp_path / "1.dcm", ramp, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    save(tmp_path / "2.dcm", ramp)
    assert np.array_equal(read_image(tmp_path / "1.dcm"), 255 - read_image(tmp_path / "2.dcm"))


def test_without_a_window_the_values_span_the_range(tmp_path, ramp):
    save(tmp_path / "a.dcm", ramp + 50)
    assert close(read_image(tmp_path / "a.dcm"), ramp / 4000 * 255)


def test_a_window_that_shows_nothing_is_not_used(tmp_path, ramp):
    save(tmp_path / "a.dcm", ramp, WindowCenter=30000, WindowWidth=10)
    assert close(read_image(tmp_path / "a.dcm"), ramp / 4000 * 255)


def test_padding_does_not_count_for_the_range(tmp_path, ramp):
    values = ramp // 8 + 1000
    values[0] = 0
    save(tmp_path / "a.dcm", values, PixelPaddingValue=0)
    found = read_image(tmp_path / "a.dcm")[0]
    assert found[0].max() == 0 and found[1:].min() < 20 and found.max() == 255


def test_bits_above_the_stored_ones_are_dropped(tmp_path, ramp):
    overlay = ramp.copy()
    overlay[::2] |= 0xF000
    save(tmp_path / "a.dcm", overlay)
    with pytest.warns(DataNotice, match="600 of 1200 values .* 12 bits .* taken away"):
        assert close(read_image(tmp_path / "a.dcm"), ramp / 4000 * 255)
    save(tmp_path / "declared.dcm", ramp | (overlay & 0x8000))
    data = pydicom.dcmread(tmp_path / "declared.dcm")
    data.add_new((0x6002, 0x0102), "US", 15)
    data.save_as(tmp_path / "declared.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert close(read_image(tmp_path / "declared.dcm"), ramp / 4000 * 255)


def test_values_above_the_stored_bits_are_kept_and_said(tmp_path, ramp):
    save(tmp_path / "a.dcm", ramp, 10)
    with pytest.warns(DataNotice, match=r"10 bits of its BitsStored: they are kept whole"):
        assert close(read_image(tmp_path / "a.dcm"), ramp / 4000 * 255)


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
@pytest.mark.parametrize("noise", [0, 20])
@pytest.mark.parametrize("edge", [0, 3000])
def test_metal_above_the_stored_bits_stays_the_brightest(tmp_path, kind, noise, edge):
    tissue = 1000 + np.random.default_rng(0).normal(0, noise, (60, 70))
    if edge and kind is np.uint16:
        tissue[19:31, 29:46] = edge
    tissue[20:30, 30:45] = 9000
    values = tissue.astype(kind)
    save(tmp_path / "a.dcm", values)
    with pytest.warns(DataNotice, match="150 of 4200 .* kept whole"):
        assert np.array_equal(stored_values(pydicom.dcmread(tmp_path / "a.dcm")), values)


def test_signs_are_no_values_above_the_stored_bits(tmp_path):
    values = np.linspace(-2000, 2000, 100).astype(np.int16).reshape(10, 10)
    for stored in (values, values & 0x0FFF):
        save(tmp_path / "a.dcm", stored.astype(np.int16))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(stored_values(pydicom.dcmread(tmp_path / "a.dcm")), values)


def test_the_sign_bit_is_where_bits_stored_says(tmp_path):
    values = np.linspace(-2000, 2000, 100).astype(np.int16).reshape(10, 10)
    save(tmp_path / "a.dcm", (values & 0x0FFF).astype(np.int16))
    assert close(read_image(tmp_path / "a.dcm"), (values + 2000.0) / 4000 * 255)


def test_sigmoid_and_exact_windows(tmp_path, ramp):
    facts = {"WindowCenter": 2000, "WindowWidth": 1000}
    save(tmp_path / "s.dcm", ramp, VOILUTFunction="SIGMOID", **facts)
    assert close(read_image(tmp_path / "s.dcm"), 255 / (1 + np.exp(-4 * (ramp - 2000.0) / 1000)))
    save(tmp_path / "e.dcm", ramp, VOILUTFunction="LINEAR_EXACT", **facts)
    assert close(read_image(tmp_path / "e.dcm"), np.clip((ramp - 2000.0) / 1000 + 0.5, 0, 1) * 255)


def test_a_voi_table_comes_before_a_window(tmp_path, ramp):
    table = pydicom.Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.LUTData = [4095 - value for value in range(4096)]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    save(tmp_path / "a.dcm", ramp, VOILUTSequence=Sequence([table]), WindowCenter=1, WindowWidth=2)
    assert close(read_image(tmp_path / "a.dcm"), (4095.0 - ramp) / 4095 * 255)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels(tmp_path, ramp, syntax):
    data = save(tmp_path / "a.dcm", np.tile(ramp, (4, 4)))
    data.compress(syntax)
    data.save_as(tmp_path / "b.dcm")
    assert np.array_equal(read_image(tmp_path / "a.dcm"), read_image(tmp_path / "b.dcm"))


def test_colour(tmp_path):
    colour = np.random.default_rng(0).integers(0, 255, (8, 9, 3), np.uint8)
    facts = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    save(tmp_path / "a.dcm", colour, 8, Rows=8, Columns=9, **facts)
    assert np.array_equal(read_image(tmp_path / "a.dcm", 3), np.moveaxis(colour, 2, 0))


@pytest.mark.parametrize("stored", [12, 16])
def test_colour_is_scaled_by_its_significant_bits(tmp_path, ramp, stored):
    colour = np.dstack([ramp, ramp // 2, ramp // 4])
    facts = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    save(tmp_path / "a.dcm", colour, stored, Rows=30, Columns=40, **facts)
    assert np.abs(read_image(tmp_path / "a.dcm", 3) - np.moveaxis(colour, 2, 0) / 4095 * 255).max() <= 0.51


def test_a_mask_is_neither_windowed_nor_inverted(tmp_path):
    values = np.array([[0, 1], [2, 1]], np.uint16)
    save(tmp_path / "m.dcm", values, PhotometricInterpretation="MONOCHROME1", WindowCenter=2, WindowWidth=1)
    assert read_mask(tmp_path / "m.dcm", 1, 2).tolist() == [[0, 1], [255, 1]]


def test_without_preamble_or_with_too_few_pixels(tmp_path, ramp):
    save(tmp_path / "a.dcm", ramp)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "bare").write_bytes(content[132:])
    assert np.array_equal(read_image(tmp_path / "bare"), read_image(tmp_path / "a.dcm"))
    (tmp_path / "cut.dcm").write_bytes(content[:-500])
    with pytest.raises(UnreadableImage, match="damaged"):
        read_image(tmp_path / "cut.dcm")


def test_frames_and_objects_without_pixels(tmp_path, ramp):
    save(tmp_path / "f.dcm", np.stack([ramp, ramp]), NumberOfFrames=2)
    with pytest.raises(UnreadableImage, match="2 frames"):
        read_image(tmp_path / "f.dcm")
    data = save(tmp_path / "n.dcm", ramp)
    del data.PixelData
    data.save_as(tmp_path / "n.dcm")
    with pytest.raises(UnreadableImage, match="without a picture"):
        read_image(tmp_path / "n.dcm")
