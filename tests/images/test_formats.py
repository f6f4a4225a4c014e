"""What a file holds decides how it is read: depth of colours, processes of JPEG, pairs, names, and bombs."""

import gzip
import struct
import tracemalloc
import zlib

import imagecodecs
import itk
import nibabel
import numpy as np
import pytest
import tifffile

from common.files import DataNotice, UnreadableImage
from common.images import image_size, read_image, read_mask

RAMP = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (48, 1))
SHOWN = np.rint(RAMP / 4095 * 255)


def close(found, expected=SHOWN, most=1.0):
    return found.shape[-2:] == expected.shape and np.abs(found.astype(float) - expected).max() <= most


def write_png(path, values, colour):
    height, width = values.shape[:2]
    blocks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    blocks += [
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in values))),
        (b"IEND", b""),
    ]
    content = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in blocks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def test_colours_of_16_bits_are_scaled_by_their_significant_bits_and_alpha_is_none_of_them(tmp_path):
    colours = np.dstack([RAMP, RAMP // 2, RAMP // 4])
    for number, alpha in enumerate((65535, 100, 0)):
        opacity = np.full_like(RAMP, alpha)
        write_png(tmp_path / f"rgba{number}.png", np.dstack([colours, opacity]), 6)
        write_png(tmp_path / f"la{number}.png", np.dstack([RAMP, opacity]), 4)
        stack = np.dstack([colours, opacity])
        tifffile.imwrite(tmp_path / f"rgba{number}.tif", stack, photometric="rgb", extrasamples=["unassalpha"])
        tifffile.imwrite(tmp_path / f"la{number}.tif", np.dstack([RAMP, opacity]), extrasamples=["unassalpha"])
    write_png(tmp_path / "rgb.png", colours, 2)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    tifffile.imwrite(
        tmp_path / "rgb_planes.tif", np.moveaxis(colours, 2, 0), photometric="rgb", planarconfig="separate"
    )
    (tmp_path / "rgb.jp2").write_bytes(imagecodecs.jpeg2k_encode(colours, reversible=True))
    (tmp_path / "rgb.jxl").write_bytes(imagecodecs.jpegxl_encode(colours, lossless=True))
    for path in sorted(tmp_path.iterdir()):
        found = read_image(path, 3)
        wanted = [RAMP] * 3 if path.name.startswith("la") else [RAMP, RAMP // 2, RAMP // 4]
        for channel, values in zip(found, wanted, strict=True):
            assert close(channel, values / 4095 * 255), path.name
        assert image_size(path) == RAMP.shape, path.name


def test_an_intact_jpeg_of_any_process_is_read(tmp_path):
    eight = (RAMP >> 4).astype(np.uint8)
    files = {
        "extended.jpg": imagecodecs.jpeg_encode(RAMP, level=97, bitspersample=12),
        "lossless.jpg": imagecodecs.ljpeg_encode(RAMP, bitspersample=12),
        "lossless8.jpg": imagecodecs.jpeg8_encode(eight, lossless=True),
        "ls.jls": imagecodecs.jpegls_encode(RAMP),
        "ls8.jpg": imagecodecs.jpegls_encode(eight),
        "grey.jxl": imagecodecs.jpegxl_encode(RAMP, lossless=True),
        "grey8.jxl": imagecodecs.jpegxl_encode(eight, lossless=True),
        "bare.j2k": imagecodecs.jpeg2k_encode(RAMP, codecformat="j2k", reversible=True),
        "file.jp2": imagecodecs.jpeg2k_encode(RAMP, codecformat="jp2", reversible=True),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert close(read_image(tmp_path / name)[0], most=2), name
        assert image_size(tmp_path / name) == RAMP.shape, name
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(UnreadableImage):
            read_image(tmp_path / name)


def test_an_unsupported_process_is_named_and_not_called_damaged(tmp_path):
    content = bytearray(imagecodecs.jpeg_encode((RAMP >> 4).astype(np.uint8)))
    content[content.index(b"\xff\xc0") + 1] = 0xC5  # hierarchical
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage, match="SOF5") as caught:
        read_image(tmp_path / "a.jpg")
    assert "damaged" not in str(caught.value) and "cut off" not in str(caught.value)


@pytest.mark.parametrize("top", [1.0, 800.0])
def test_nan_is_black_and_said_and_the_finite_values_decide(tmp_path, top):
    finite = RAMP / 4095 * top
    broken = finite.copy()
    broken[:5], broken[5], broken[6] = np.nan, np.inf, -np.inf
    expected = SHOWN.copy()
    expected[:5], expected[5], expected[6] = 0, 255, 0
    tifffile.imwrite(tmp_path / "a.tif", broken.astype(np.float32))
    nibabel.save(nibabel.Nifti1Image(broken.T, np.eye(4)), tmp_path / "a.nii.gz")
    itk.imwrite(itk.image_from_array(broken.astype(np.float32)), str(tmp_path / "a.mha"))
    tifffile.imwrite(tmp_path / "inverse.tif", (top - broken).astype(np.float32), photometric="miniswhite")
    for path in sorted(tmp_path.iterdir()):
        with pytest.warns(DataNotice, match=rf"{path.name}: {7 * 64} of {48 * 64} values are not finite"):
            assert close(read_image(path)[0], expected), path.name
    tifffile.imwrite(tmp_path / "none.tif", np.full((8, 8), np.nan, np.float32))
    with pytest.raises(UnreadableImage, match="finite"):
        read_image(tmp_path / "none.tif")


@pytest.mark.parametrize("family", [nibabel.AnalyzeImage, nibabel.Nifti1Pair, nibabel.Nifti2Pair])
def test_a_pair_of_header_and_voxels_is_read_whichever_is_named(tmp_path, family):
    image = family(RAMP.astype(np.int16).T, np.eye(4))
    nibabel.save(image, tmp_path / "a.img")
    for name in ("a.img", "a.hdr"):
        assert close(read_image(tmp_path / name)[0]), name
        assert image_size(tmp_path / name) == RAMP.shape, name
    (tmp_path / "a.img").unlink()
    with pytest.raises(UnreadableImage, match=r"\.img, is missing"):
        read_image(tmp_path / "a.hdr")


def test_a_volume_of_the_size_of_a_jsrt_radiograph_is_none(tmp_path):
    volume = np.zeros((512, 512, 16), np.int16)
    volume[100:300, 100:300] = 1000
    nibabel.save(nibabel.AnalyzeImage(volume, np.eye(4)), tmp_path / "a.img")
    assert (tmp_path / "a.img").stat().st_size == 2048 * 2048 * 2
    with pytest.raises(UnreadableImage, match="16 slices"):
        read_image(tmp_path / "a.img")
    (tmp_path / "a.hdr").unlink()
    with pytest.raises(UnreadableImage, match="not an image of a known type"):
        read_image(tmp_path / "a.img")
    big = np.tile(np.linspace(0, 4095, 2048).astype(">u2"), (2048, 1))
    (tmp_path / "b.img").write_bytes(big.tobytes())
    (tmp_path / "b.hdr").write_text("a note, and no header")
    assert close(read_image(tmp_path / "b.img")[0], 255 - np.rint(big / 4095 * 255))


@pytest.mark.parametrize("name", ["P.MHA", "bare", "p.dat"])
def test_metaimage_whatever_its_name(tmp_path, name):
    itk.imwrite(itk.image_from_array(RAMP), str(tmp_path / "p.mha"))
    (tmp_path / "p.mha").rename(tmp_path / name)
    assert close(read_image(tmp_path / name)[0])
    assert read_mask(tmp_path / name, 4095, range(1, 4095)).max() == 255


def test_metaimage_header_apart_in_upper_case(tmp_path):
    itk.imwrite(itk.image_from_array(RAMP), str(tmp_path / "p.mhd"))
    (tmp_path / "p.mhd").rename(tmp_path / "P.MHD")
    assert close(read_image(tmp_path / "P.MHD")[0])


def refused_soon(path, reason):
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableImage, match=reason):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


def test_a_nifti_that_bursts_is_refused_before_memory_is_spent(tmp_path):
    content = nibabel.Nifti1Image(RAMP.T.astype(np.int16), np.eye(4)).to_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content + bytes(200_000_000), 9))
    refused_soon(tmp_path / "a.nii.gz", "more than the .* bytes that its header declares")
    volume = nibabel.Nifti1Image(np.zeros((8, 8, 1), np.uint8), np.eye(4))
    volume.header["dim"][1:4] = 30000, 30000, 1
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(volume.header.binaryblock + bytes(1000)))
    refused_soon(tmp_path / "b.nii.gz", "30000 x 30000 pixels")


def test_pixel_bombs_of_other_formats_are_refused_before_memory_is_spent(tmp_path):
    plain = imagecodecs.jpeg_encode((RAMP >> 4).astype(np.uint8))
    for name, content in {
        "a.jpg": plain,
        "b.jpg": imagecodecs.ljpeg_encode(RAMP, bitspersample=12),
        "c.jls": imagecodecs.jpegls_encode((RAMP >> 4).astype(np.uint8)),
    }.items():
        changed = bytearray(content)
        place = changed.index(struct.pack(">HH", *RAMP.shape))
        changed[place : place + 4] = struct.pack(">HH", 60000, 60000)
        (tmp_path / name).write_bytes(changed)
        refused_soon(tmp_path / name, "60000 x 60000|3600000000 pixels")
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 13000, 13000, 16, 6, 0, 0, 0)
    body = struct.pack(">I", 10) + b"IDAT" + zlib.compress(b"")[:8] + bytes(10)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "rgba.png").write_bytes(start + body)
    refused_soon(tmp_path / "rgba.png", "13000 x 13000 pixels of 8 bytes")


def test_mha_of_twelve_bits_is_scaled_by_them(tmp_path):
    values = np.random.default_rng(0).integers(0, 4000, (6, 9), np.uint16)  # NODE21's images are like this
    header = "ObjectType = Image\nNDims = 2\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 9 6\n"
    header += "ElementSpacing = 1 1\nElementType = MET_USHORT\nElementDataFile = LOCAL\n"
    (tmp_path / "n0001.mha").write_bytes(header.encode() + values.astype("<u2").tobytes())
    assert image_size(tmp_path / "n0001.mha") == (6, 9)
    assert np.array_equal(read_image(tmp_path / "n0001.mha")[0], np.rint(values * (255 / 4095)).astype(np.uint8))
