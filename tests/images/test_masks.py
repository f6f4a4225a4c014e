"""Values of mask files: what is named is read, in every format, and what nobody named is refused or said."""

import struct
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from common.files import DataNotice, UnreadableImage
from common.images import image_size, read_image, read_mask
from common.images.masks import check_shape, resample_nearest

VALUES = np.arange(64, dtype=np.uint8).reshape(8, 8)


def write_png(path, values, depth, colour=0, palette=b""):
    """A PNG of any depth, one channel: values are packed bit by bit."""
    height, width = values.shape
    lines = [int("".join(f"{value:0{depth}b}" for value in row), 2).to_bytes(width * depth // 8) for row in values]
    blocks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    blocks += [(b"PLTE", palette)] if palette else []
    blocks += [(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))), (b"IEND", b"")]
    content = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in blocks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_numbers_or_their_brightness_as_they_are_named(tmp_path, depth):
    values = VALUES % 2**depth
    write_png(tmp_path / "m.png", values, depth)
    stored = values == 1 if depth == 1 else values
    tifffile.imwrite(tmp_path / "m.tif", stored, bitspersample=depth, photometric="minisblack")
    others = [value for value in range(2**depth) if value > 1]
    for step in (1, 255 // (2**depth - 1)):
        for name in ("m.png", "m.tif"):
            found = read_mask(tmp_path / name, step, [step * value for value in others] or None)
            assert np.array_equal(found, np.where(values == 1, 1, np.where(values > 1, 255, 0))), name


def test_a_palette_gives_its_indices_also_where_the_colours_in_use_are_grey(tmp_path):
    voc = bytes([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 128])
    values = (VALUES > 40) * np.uint8(3)
    write_png(tmp_path / "m.png", values, 8, 3, voc)
    assert np.array_equal(read_mask(tmp_path / "m.png", 3), values == 3)
    with pytest.raises(UnreadableImage, match=r"values \[3\] and not \[128\]"):
        read_mask(tmp_path / "m.png", 128)


def test_a_palette_of_greys_is_read_as_it_is_named_and_refused_where_both_ways_fit(tmp_path):
    write_png(tmp_path / "m.png", VALUES % 2, 8, 3, bytes([0, 0, 0, 255, 255, 255]))
    for foreground in (1, 255, None):
        assert np.array_equal(read_mask(tmp_path / "m.png", foreground), VALUES % 2)
    write_png(tmp_path / "swapped.png", VALUES % 2, 8, 3, bytes([1, 1, 1, 0, 0, 0]))
    with pytest.raises(UnreadableImage, match="fits both"):
        read_mask(tmp_path / "swapped.png", 1)
    ramp = bytes(value for value in range(256) for _ in range(3))
    write_png(tmp_path / "ramp.png", VALUES, 8, 3, ramp)
    assert np.array_equal(
        read_mask(tmp_path / "ramp.png", range(8, 64), range(1, 8)), np.select([VALUES > 7, VALUES > 0], [1, 255], 0)
    )


def test_values_that_nobody_named_are_refused_or_said(tmp_path):
    Image.fromarray(VALUES % 2).save(tmp_path / "zero_and_one.png")
    with pytest.raises(UnreadableImage, match=r"zero_and_one\.png: the mask has the values \[1\] and not \[255\]"):
        read_mask(tmp_path / "zero_and_one.png", 255)
    Image.fromarray(VALUES % 3).save(tmp_path / "three.png")
    with pytest.warns(DataNotice, match=r"three\.png: the mask also has the values \[2\]"):
        assert np.array_equal(read_mask(tmp_path / "three.png", 1), VALUES % 3 == 1)


def quietly(path, *named):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_mask(path, *named)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits"])
def test_labels_are_what_is_stored_also_where_0_is_shown_white(tmp_path, compression):
    inside = VALUES > 40
    stored = {
        "bool": (inside, (1, 255, None)),
        "uint8": (inside * np.uint8(255), (255, None)),
        "uint16": (inside * np.uint16(65535), (65535, None)),
        "12": (inside * np.uint16(4095), (4095, None)) if compression is None else None,
        "2": (inside * np.uint8(3), (3, 255, None)) if compression is None else None,
        "4": (inside * np.uint8(15), (15, 255, None)) if compression is None else None,
    }
    for name, (values, named) in ((name, case) for name, case in stored.items() if case):
        path = tmp_path / f"{name}.tif"
        depth = int(name) if name.isdigit() else None
        tifffile.imwrite(path, values, photometric="miniswhite", compression=compression, bitspersample=depth)
        for foreground in named:
            with pytest.warns(DataNotice, match=rf"{name}\.tif: .*0 is shown white.* as they are stored"):
                assert np.array_equal(read_mask(path, foreground), inside), (name, foreground)
        shown = read_image(path)[0]
        assert shown[inside].max() == 0 and shown[~inside].min() == 255, name
        tifffile.imwrite(path, values, photometric="minisblack", compression=compression, bitspersample=depth)
        assert np.array_equal(quietly(path, named[0]), inside), name


def test_what_a_program_writes_of_its_own_accord_comes_back(tmp_path):
    inside = VALUES > 40
    tifffile.imwrite(tmp_path / "m.tif", inside)
    with pytest.warns(DataNotice, match="as they are stored, not as shown"):
        assert np.array_equal(read_mask(tmp_path / "m.tif"), inside)
    for compression in (None, "group3", "group4", "tiff_lzw"):
        Image.fromarray(inside).save(tmp_path / "p.tif", compression=compression)
        assert np.array_equal(quietly(tmp_path / "p.tif"), inside), compression


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_fax_is_the_drawing_that_it_shows(tmp_path, compression):
    inside = VALUES > 40
    Image.fromarray(inside).save(tmp_path / "m.tif", compression=compression, tiffinfo={262: 0})
    for foreground in (1, 255, None):
        with pytest.warns(DataNotice, match="as they are shown, not as stored"):
            assert np.array_equal(read_mask(tmp_path / "m.tif", foreground), inside)


def test_labels_that_only_one_way_explains_need_no_notice(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", VALUES % 3, photometric="miniswhite")
    assert np.array_equal(quietly(tmp_path / "m.tif", 1, 2), np.select([VALUES % 3 == 1, VALUES % 3 == 2], [1, 255], 0))


def ellipse(value=255):
    rows, columns = np.mgrid[0:64, 0:80]
    return ((((rows - 30) / 20) ** 2 + ((columns - 40) / 27) ** 2) < 1).astype(np.uint8) * np.uint8(value)


@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("foreground", [255, None])
def test_what_jpeg_moved_about_counts_as_the_nearest_named_value(tmp_path, quality, foreground):
    mask = ellipse()
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=quality)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "m.jpg")))) > 2  # else it proves nothing
    assert np.array_equal(read_mask(tmp_path / "m.jpg", foreground), mask == 255)
    Image.fromarray(np.dstack([mask] * 3)).save(tmp_path / "rgb.jpg", quality=quality)
    assert np.array_equal(read_mask(tmp_path / "rgb.jpg", foreground), mask == 255)


def test_a_third_area_in_a_jpeg_is_refused_and_read_where_it_is_named(tmp_path):
    mask = ellipse()
    mask[50:62, 4:20] = 127
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=90)
    for foreground in (255, None):
        with pytest.raises(UnreadableImage, match="areas of the values"):
            read_mask(tmp_path / "m.jpg", foreground)
    expected = np.select([mask == 255, mask == 127], [1, 255], 0)
    assert (read_mask(tmp_path / "m.jpg", 255, 127) == expected).mean() > 0.99  # an edge passes through the middle
    Image.fromarray(VALUES % 4).save(tmp_path / "small.jpg", quality=60)
    with pytest.raises(UnreadableImage, match="lossy"):
        read_mask(tmp_path / "small.jpg", 1)


def test_masks_of_every_type(tmp_path):
    mask = ellipse(1)
    deep = mask.astype(np.uint16) * 300
    alpha = np.full_like(mask, 200)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    tifffile.imwrite(tmp_path / "deep_rgb.tif", np.dstack([deep] * 3), photometric="rgb")
    Image.merge("LA", [Image.fromarray(mask * np.uint8(44)), Image.fromarray(alpha)]).save(tmp_path / "la.png")
    Image.fromarray(np.dstack([mask * np.uint8(44)] * 3 + [alpha])).save(tmp_path / "rgba.png")
    tifffile.imwrite(tmp_path / "float.tif", mask.astype(np.float32))
    (tmp_path / "m.jxl").write_bytes(imagecodecs.jpegxl_encode(mask, lossless=True))
    (tmp_path / "m.jp2").write_bytes(imagecodecs.jpeg2k_encode(mask, reversible=True))
    names = {"deep.png": 300, "deep_rgb.tif": 300, "la.png": 44, "rgba.png": 44, "float.tif": 1, "m.jxl": 1, "m.jp2": 1}
    for name, value in names.items():
        assert np.array_equal(read_mask(tmp_path / name, value), mask), name
        assert np.array_equal(read_mask(tmp_path / name), mask), name


def test_probabilities_nan_and_alpha_are_no_labels(tmp_path):
    mask = ellipse(1)
    tifffile.imwrite(tmp_path / "p.tif", mask * np.float32(0.3))
    tifffile.imwrite(tmp_path / "nan.tif", np.where(mask, np.nan, 0).astype(np.float32))
    Image.fromarray(np.dstack([np.zeros_like(mask)] * 3 + [mask * np.uint8(255)])).save(tmp_path / "alpha.png")
    for name, reason in {"p.tif": "0.3", "nan.tif": "nan", "alpha.png": "alpha channel"}.items():
        with pytest.raises(UnreadableImage, match=reason):
            read_mask(tmp_path / name, 1)


def turned(pixels, orientation):
    """Exif 2.32, orientation: where row 0 and column 0 are to be seen."""
    height, width = pixels.shape
    seen = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "lt", 6: "rt", 7: "rb", 8: "lb"}[orientation]
    rows_first = seen[0] in "tb"
    result = np.zeros((height, width) if rows_first else (width, height), pixels.dtype)
    for (row, column), value in np.ndenumerate(pixels):
        place = {"t": row, "b": height - 1 - row} if rows_first else {"l": row, "r": height - 1 - row}
        other = {"l": column, "r": width - 1 - column} if rows_first else {"t": column, "b": width - 1 - column}
        first, second = place[seen[0]], other[seen[1]]
        result[(first, second) if rows_first else (second, first)] = value
    return result


@pytest.mark.parametrize("orientation", range(1, 9))
def test_image_mask_and_size_turn_together(tmp_path, orientation):
    pixels = np.zeros((24, 40), np.uint8)
    pixels[:8, :24] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    tag = [(274, "H", 1, orientation, True)]
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100)
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    for name, compression in (("a.tif", None), ("lzw.tif", "lzw")):
        tifffile.imwrite(tmp_path / name, pixels, extratags=tag, compression=compression)
    tifffile.imwrite(tmp_path / "deep.tif", np.dstack([pixels.astype(np.uint16)] * 3), extratags=tag, photometric="rgb")
    expected = turned(pixels, orientation)
    for path in sorted(tmp_path.iterdir()):
        assert image_size(path) == expected.shape, path.name
        assert np.array_equal(read_mask(path, 255), expected == 255), path.name
        assert np.array_equal(read_image(path)[0] > 127, expected == 255), path.name


@pytest.mark.parametrize(
    ("image", "mask", "fits"),
    [
        ((299, 299), (256, 256), True),
        ((2048, 2048), (1024, 1024), True),
        ((4892, 4020), (512, 421), True),  # 420.7 columns, rounded
        ((4892, 4020), (4020, 4892), False),
        ((4892, 4020), (512, 422), False),
        ((20, 16), (19, 16), False),
    ],
)
def test_proportions_are_compared_and_not_sizes(image, mask, fits):
    if fits:
        check_shape(image, mask, "m.png", "lung")
        return
    with pytest.raises(UnreadableImage, match=rf"m\.png: the lung mask has {mask[0]} x {mask[1]} pixels"):
        check_shape(image, mask, "m.png", "lung")


def test_nearest_values_are_those_of_the_pixels_that_hold_the_centres():
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(resample_nearest(mask, (4, 3)), mask[[0, 0, 1, 1]])
    assert np.array_equal(resample_nearest(mask, (2, 2)), mask[:, [0, 2]])  # centres at 0.75 and 2.25
    assert resample_nearest(mask, (2, 3)).tolist() == mask.tolist()
