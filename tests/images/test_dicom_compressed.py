"""DICOM whose pixels are compressed: colours, padding and bits as the compressed stream itself says."""

import imagecodecs
import jpeg_ls
import numpy as np
import pydicom
import pytest
from dicom_files import RAMP, close, save
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from common.files import UnreadableImage
from common.images import image_size, read_image, read_mask


def compressed(path, frame, syntax, shape, stored, **facts):
    data = save(path, np.zeros(shape[:2], np.uint16 if stored > 8 else np.uint8), stored, **facts)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    data.save_as(path)


def test_lossy_padding_wanders_and_is_padding_all_the_same(tmp_path):
    values = RAMP // 2 + 1500
    values[:, :21], values[:11] = 0, 0
    frame = imagecodecs.jpeg_encode(values, level=80, bitspersample=12)
    assert len(np.unique(imagecodecs.jpeg_decode(frame)[values == 0])) > 1  # else it proves nothing
    compressed(tmp_path / "a.dcm", frame, JPEGExtended12Bit, RAMP.shape, 12, PixelPaddingValue=0)
    found = read_image(tmp_path / "a.dcm")[0]
    assert not found[:11].any() and not found[:, :21].any()
    kept = values[11:, 21:].astype(float)
    assert np.abs(found[11:, 21:] - (kept - kept.min()) / (kept.max() - kept.min()) * 255).max() < 8


@pytest.mark.parametrize("stored", [10, 12, 16])
def test_extended_jpeg_has_12_bits_whatever_is_stored(tmp_path, stored):
    values = (RAMP.astype(int) * 1023 // 4000).astype(np.uint16) if stored == 10 else RAMP
    frame = imagecodecs.jpeg_encode(values, level=95, bitspersample=12)
    compressed(tmp_path / "a.dcm", frame, JPEGExtended12Bit, RAMP.shape, stored)
    found = read_image(tmp_path / "a.dcm")[0].astype(int)
    assert np.abs(found - RAMP / 4000 * 255).max() < 5


def test_lossless_jpeg_keeps_every_value(tmp_path):
    compressed(tmp_path / "a.dcm", imagecodecs.ljpeg_encode(RAMP, bitspersample=12), JPEGLosslessSV1, RAMP.shape, 12)
    assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)
    labels = (RAMP > 1000).astype(np.uint16) + (RAMP > 3000)
    frame = imagecodecs.ljpeg_encode(labels, bitspersample=12)
    compressed(tmp_path / "m.dcm", frame, JPEGLosslessSV1, RAMP.shape, 12)
    assert np.array_equal(read_mask(tmp_path / "m.dcm", 1, 2), np.array([0, 1, 255])[labels])


@pytest.mark.parametrize("high", [11, 15])
def test_jpeg_ls_of_12_bits_is_where_it_is_whatever_high_bit_says(tmp_path, high):
    compressed(tmp_path / "a.dcm", bytes(jpeg_ls.encode_array(RAMP)), JPEGLSLossless, RAMP.shape, 12, HighBit=high)
    assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)


COLOUR = np.stack([np.full((32, 40), shade, np.uint8) for shade in (200, 60, 20)], axis=-1)


COLOUR[:, 20:] = 30, 90, 220


@pytest.mark.parametrize("declared", ["RGB", "YBR_FULL_422", "YBR_FULL"])
@pytest.mark.parametrize("inside", ["rgb", "ycbcr"])
def test_colours_of_a_jpeg_are_what_its_own_markers_say(tmp_path, declared, inside):
    frame = imagecodecs.jpeg8_encode(COLOUR, level=100, colorspace="rgb", outcolorspace=inside, subsampling="444")
    facts = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": declared}
    compressed(tmp_path / "a.dcm", frame, JPEGBaseline8Bit, COLOUR.shape, 8, **facts)
    assert np.abs(read_image(tmp_path / "a.dcm", 3).astype(int) - np.moveaxis(COLOUR, 2, 0)).max() < 6


@pytest.mark.parametrize("adobe", [True, False])
@pytest.mark.parametrize("declared", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("inside", ["rgb", "ycbcr"])
@pytest.mark.parametrize("subsampling", ["444", "420"])
def test_adobes_marker_decides_then_subsampling_then_the_photometric_interpretation(
    tmp_path, adobe, declared, inside, subsampling
):
    if inside == "rgb" and subsampling == "420":
        pytest.skip("nobody subsamples red or blue")
    if not adobe and subsampling == "444" and (inside == "rgb") != (declared == "RGB"):
        pytest.skip("nothing inside says what it is: what is declared counts")
    frame = bytearray(
        imagecodecs.jpeg8_encode(COLOUR, level=100, colorspace="rgb", outcolorspace=inside, subsampling=subsampling)
    )
    marker = 2
    while frame[marker + 1] in (0xE0, 0xEE):  # JFIF or Adobe
        del frame[marker : marker + 2 + int.from_bytes(frame[marker + 2 : marker + 4], "big")]
    for name in (b"R", b"G", b"B"):  # the components' names, in the frame and in the scan
        for start in (frame.index(b"\xff\xc0"), frame.index(b"\xff\xda")):
            place = frame.find(name, start, start + 20)
            if place > 0:
                frame[place] = b"RGB".index(name) + 1
    if adobe:
        frame[2:2] = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([inside == "ycbcr"])
    facts = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": declared}
    compressed(tmp_path / "a.dcm", bytes(frame), JPEGBaseline8Bit, COLOUR.shape, 8, **facts)
    wrong = np.abs(read_image(tmp_path / "a.dcm", 3).astype(int) - np.moveaxis(COLOUR, 2, 0))
    assert wrong[..., :16].max() < 6 and wrong[..., 24:].max() < 6  # between them subsampled chroma is mixed


@pytest.mark.parametrize(
    ("entries", "bits", "words"), [(256, 8, False), (256, 16, True), (4096, 8, True), (4096, 8, False)]
)
def test_palettes_of_eight_bits_in_sixteen(tmp_path, entries, bits, words):
    values = (RAMP.astype(int) * (entries - 1) // 4000).astype(np.uint8 if entries == 256 else np.uint16)
    shades = {"Red": 255, "Green": 128, "Blue": 0}
    tables = {
        name: np.linspace(0, top, entries).round().astype("<u2" if words else "u1") for name, top in shades.items()
    }
    facts = {f"{name}PaletteColorLookupTableData": made.tobytes() for name, made in tables.items()}
    facts |= {f"{name}PaletteColorLookupTableDescriptor": [entries, 0, bits] for name in tables}
    save(tmp_path / "a.dcm", values, 8 * values.itemsize, PhotometricInterpretation="PALETTE COLOR", **facts)
    found = read_image(tmp_path / "a.dcm", 3)
    assert np.array_equal(found, np.stack([made[values] for made in tables.values()]))


def test_a_compressed_picture_larger_than_declared_is_refused_before_it_is_decoded(tmp_path):
    for name, frame in {
        "jpeg": imagecodecs.jpeg_encode(np.zeros((600, 800), np.uint8)),
        "lossless": imagecodecs.ljpeg_encode(np.zeros((600, 800), np.uint8)),
    }.items():
        compressed(tmp_path / f"{name}.dcm", frame, JPEGBaseline8Bit, (48, 64), 8)
        with pytest.raises(UnreadableImage, match="48 x 64 pixels and its compressed picture 600 x 800"):
            read_image(tmp_path / f"{name}.dcm")


def test_deflated_elements_that_burst_are_refused(tmp_path):
    data = save(tmp_path / "a.dcm", RAMP)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "a.dcm")
    assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)
    assert image_size(tmp_path / "a.dcm") == RAMP.shape
    data.add_new("DataSetTrailingPadding", "OB", bytes(50_000_000))
    data.save_as(tmp_path / "b.dcm")
    assert (tmp_path / "b.dcm").stat().st_size < 100_000
    with pytest.raises(UnreadableImage, match="deflated elements become more than"):
        read_image(tmp_path / "b.dcm")


@pytest.mark.parametrize("number", [110, 111, 112])
def test_jpeg_xl_in_dicom(tmp_path, number):
    frame = imagecodecs.jpegxl_encode(RAMP * 16, lossless=True)
    as_long = "1.2.840.10008.1.2.4.201"  # pydicom writes no syntax that it does not know
    compressed(tmp_path / "a.dcm", frame, pydicom.uid.UID(as_long), RAMP.shape, 16)
    written = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(written.replace(as_long.encode(), f"1.2.840.10008.1.2.4.{number}".encode()))
    assert close(read_image(tmp_path / "a.dcm"), RAMP / 4000 * 255)
    assert image_size(tmp_path / "a.dcm") == RAMP.shape
