import io
import warnings
import zlib

import itk
import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from common.files import DataNotice, UnreadableImage
from common.images import image_size, read_image, read_mask


@pytest.fixture
def picture():
    rows, columns = np.mgrid[0:40, 0:30]
    return (rows * 5 + columns).astype(np.uint8)


def test_lossless_formats_give_the_same_pixels(tmp_path, picture):
    for suffix in ("png", "tif", "bmp", "gif"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(picture).save(path)
        assert np.array_equal(read_image(path), picture[None]), suffix
        assert image_size(path) == (40, 30)
    itk.imwrite(itk.image_from_array(picture), str(tmp_path / "a.mha"))
    assert image_size(tmp_path / "a.mha") == (40, 30)
    assert np.array_equal(read_image(tmp_path / "a.mha")[0], scaled(picture, 255))
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - picture).max() < 12


def scaled(values, white):
    return np.rint(values.astype(np.float64) * 255 / white).astype(np.uint8)


def test_the_content_decides_and_not_the_name(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(read_image(tmp_path / "a.jpg")[0], picture)


@pytest.mark.parametrize(("bits", "white"), [(12, 4095), (16, 65535), (10, 1023)])
def test_depth_is_the_smallest_that_holds_the_values(tmp_path, picture, bits, white):
    deep = (picture.astype(np.uint32) * white // 255).astype(np.uint16)
    deep[0, 0] = white
    Image.fromarray(deep).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", deep)
    for path in (tmp_path / "a.png", tmp_path / "a.tif"):
        assert np.array_equal(read_image(path)[0], scaled(deep, white))


def test_white_is_zero_tiff_is_inverted(tmp_path, picture):
    deep = picture.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "b.tif", picture, photometric="miniswhite")
    white = scaled(deep, 2 ** int(deep.max()).bit_length() - 1)
    assert np.array_equal(read_image(tmp_path / "a.tif")[0], 255 - white)
    assert np.array_equal(read_image(tmp_path / "b.tif")[0], 255 - picture)


def test_floats_within_one_are_taken_as_they_are(tmp_path, picture):
    tifffile.imwrite(tmp_path / "a.tif", (picture / 510).astype(np.float32))
    assert np.abs(read_image(tmp_path / "a.tif")[0].astype(int) - picture / 2).max() <= 1


def test_alpha_is_dropped_without_touching_the_colours(tmp_path, picture):
    alpha = np.zeros_like(picture)  # transparent everywhere: compositing would lose the picture
    Image.fromarray(np.dstack([picture] * 3 + [alpha])).save(tmp_path / "rgba.png")
    Image.merge("LA", [Image.fromarray(picture), Image.fromarray(alpha)]).save(tmp_path / "la.png")
    for name in ("rgba.png", "la.png"):
        assert np.array_equal(read_image(tmp_path / name)[0], picture), name


def test_channels(tmp_path, picture):
    colour = np.dstack([picture, picture // 2, picture // 3])
    Image.fromarray(colour).save(tmp_path / "c.png")
    Image.fromarray(picture).save(tmp_path / "g.png")
    assert np.array_equal(read_image(tmp_path / "c.png", 3), np.moveaxis(colour, 2, 0))
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(tmp_path / "c.png")[0] - luma).max() <= 1
    assert np.array_equal(read_image(tmp_path / "g.png", 3), np.stack([picture] * 3))
    with pytest.raises(ValueError, match="channels is 2"):
        read_image(tmp_path / "g.png", 2)


def test_a_palette_is_resolved(tmp_path, picture):
    image = Image.fromarray(picture // 64).convert("P")
    image.putpalette([0, 0, 0, 200, 200, 200, 10, 10, 10, 90, 90, 90])
    image.save(tmp_path / "p.png")
    assert set(np.unique(read_image(tmp_path / "p.png"))) == {0, 200, 10, 90}


def test_a_cameras_orientation_is_applied(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif, quality=100)
    expected = np.rot90(picture, -1)
    assert image_size(tmp_path / "a.jpg") == expected.shape
    assert np.abs(read_image(tmp_path / "a.jpg")[0].astype(int) - expected).max() < 8


def test_jsrt_raw(tmp_path):
    values = np.tile(np.linspace(0, 4095, 2048).astype(">u2"), (2048, 1))
    (tmp_path / "JPCLN001.IMG").write_bytes(values.tobytes())
    expected = np.rint(255 * (1 - values.astype(float) / 4095))
    assert np.abs(read_image(tmp_path / "JPCLN001.IMG")[0] - expected).max() <= 1
    assert image_size(tmp_path / "JPCLN001.IMG") == (2048, 2048)


@pytest.mark.parametrize("signs", [(-1, -1), (1, -1), (-1, 1)])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti_is_shown_with_rows_down_and_columns_to_the_patients_left(tmp_path, picture, signs, suffix):
    affine = np.diag([signs[0] * 0.5, signs[1] * 0.5, 1, 1])
    nib.save(nib.Nifti1Image(picture.T[:, :, None], affine), tmp_path / f"a.{suffix}")
    shown = read_image(tmp_path / f"a.{suffix}")[0]
    # NIfTI's axes grow to the patient's right and up, rows and columns to the left and down.
    assert np.array_equal(shown, picture[:: -signs[1], :: -signs[0]])
    assert image_size(tmp_path / f"a.{suffix}") == (40, 30)


PAIRS = (nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.Nifti2Pair)


def saved_nifti(folder, family, values, affine, facts=None):
    image = family(values, affine)
    for name, value in (facts or {}).items():
        image.header[name] = value
    path = folder / f"{family.__name__}.{'img' if family in PAIRS[2:] else 'nii'}"
    nib.save(image, path)
    return path


@pytest.mark.parametrize("family", PAIRS)
def test_nifti_without_geometry_is_only_transposed(tmp_path, picture, family):
    for affine, facts in (
        (np.eye(4), None),
        (np.diag([0.14, 0.14, 1, 1]), None),
        (np.diag([0.14, 0.2, 1, 1]), {"qform_code": 0}),
        (np.diag([0.5, 0.5, 1, 1]), {"sform_code": 0, "qform_code": 1}),
        (None, None),
        (None, {"pixdim": [1, 0.14, 0.14, 1, 0, 0, 0, 0]}),
    ):
        path = saved_nifti(tmp_path, family, picture.T[..., None], affine, facts)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(read_image(path)[0], picture)
            assert np.array_equal(read_mask(path, range(1, 256)), picture > 0)


@pytest.mark.parametrize("family", PAIRS)
def test_identity_axes_that_begin_somewhere_are_geometry_of_image_and_mask_and_said(tmp_path, picture, family):
    affine = np.diag([0.5, 0.5, 1, 1])
    affine[:3, 3] = -90, -126, 0
    path = saved_nifti(tmp_path, family, picture.T, affine)
    with pytest.warns(DataNotice, match=r"begin at \(-90\.0, -126\.0, 0\.0\) mm"):
        assert np.array_equal(read_image(path)[0], picture[::-1, ::-1])
    with pytest.warns(DataNotice, match="180 degrees"):
        assert np.array_equal(read_mask(path, range(1, 256)), picture[::-1, ::-1] > 0)


def bad_files(folder, picture):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(buffer, "PNG")
    png = buffer.getvalue()
    frames = [Image.fromarray(picture), Image.fromarray(picture[::-1])]
    frames[0].save(folder / "frames.tif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    nib.save(nib.Nifti1Image(np.random.rand(8, 8, 5), np.eye(4)), folder / "volume.nii.gz")
    itk.imwrite(itk.image_from_array(np.zeros((3, 8, 8), np.uint8)), str(folder / "volume.mha"))
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(folder / "constant.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "short.png").write_bytes(png[: len(png) // 2])
    (folder / "header.png").write_bytes(png[:20])
    (folder / "text.png").write_text("<html>404</html>")
    (folder / "short.IMG").write_bytes(b"\1" * 1000)
    corrupt = bytearray(png)
    corrupt[60:90] = bytes(30)
    (folder / "corrupt.png").write_bytes(corrupt)
    huge = png[:16] + (2**20).to_bytes(4, "big") * 2 + png[24:29]
    (folder / "bomb.png").write_bytes(huge + zlib.crc32(huge[12:]).to_bytes(4, "big") + png[33:])
    (folder / "folder.png").mkdir()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("frames.tif", "2 frames"),
        ("frames.gif", "2 frames"),
        ("volume.nii.gz", "5 slices"),
        ("volume.mha", "3 slices"),
        ("constant.png", "value 7"),
        ("empty.png", "0 bytes"),
        ("short.png", "damaged"),
        ("header.png", "damaged"),
        ("text.png", "not an image"),
        ("short.IMG", "not an image"),
        ("corrupt.png", "damaged"),
        ("bomb.png", "1048576 x 1048576"),
        ("missing.png", "no such file"),
        ("folder.png", "cannot be opened"),
    ],
)
def test_bad_files_are_named_with_reason_and_remedy(tmp_path, picture, name, reason):
    bad_files(tmp_path, picture)
    with pytest.raises(UnreadableImage, match=reason) as caught:
        read_image(tmp_path / name)
    assert caught.value.path == str(tmp_path / name)
    assert caught.value.remedy and name in str(caught.value)


def test_masks(tmp_path):
    values = np.array([[0, 127], [255, 255]], np.uint8)
    Image.fromarray(values).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", foreground=255, ignore=127).tolist() == [[0, 255], [1, 1]]
    assert read_mask(tmp_path / "m.png", foreground=[127, 255]).tolist() == [[0, 1], [1, 1]]
    assert read_mask(tmp_path / "m.png", ignore=127).tolist() == [[0, 255], [1, 1]]
    with pytest.raises(UnreadableImage, match=r"values \[127, 255\]"):
        read_mask(tmp_path / "m.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "none.png")
    assert read_mask(tmp_path / "none.png").sum() == 0
    Image.fromarray(np.dstack([values] * 3)).save(tmp_path / "grey.png")
    assert read_mask(tmp_path / "grey.png", 255, 127).tolist() == [[0, 255], [1, 1]]
    Image.fromarray(np.dstack([values, values, 255 - values])).save(tmp_path / "colour.png")
    with pytest.raises(UnreadableImage, match="colours"):
        read_mask(tmp_path / "colour.png", 255)


def test_labels_are_not_scaled_like_brightness(tmp_path):
    values = np.array([[0, 300], [1, 2]], np.uint16)
    Image.fromarray(values).save(tmp_path / "m.png")
    tifffile.imwrite(tmp_path / "m.tif", values)
    itk.imwrite(itk.image_from_array(values), str(tmp_path / "m.mha"))
    nib.save(nib.Nifti1Image(values.T, np.eye(4)), tmp_path / "m.nii.gz")
    nib.save(nib.Nifti1Image((values.T == 1).astype(float), np.eye(4)), tmp_path / "float.nii")
    for name in ("m.png", "m.tif", "m.mha", "m.nii.gz", "float.nii"):
        assert read_mask(tmp_path / name, foreground=1).tolist() == [[0, 0], [1, 0]], name


def test_palettes_of_greys_are_greys_and_of_colours_are_indices(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 255, 255, 255, 127, 127, 127])
    image.save(tmp_path / "grey.gif")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "colour.png")
    assert read_mask(tmp_path / "grey.gif", 255, 127).tolist() == [[0, 1], [255, 0]]
    assert read_mask(tmp_path / "colour.png", 1, 2).tolist() == [[0, 1], [255, 0]]


def test_a_size_is_read_from_the_head_of_a_large_file_and_from_the_whole_where_the_header_is_longer(tmp_path):
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8))
    pixels.save(tmp_path / "long_header.jpg", comment=b"x" * 60_000, exif=b"Exif\0\0" + b"\0" * 60_000)
    pixels.save(tmp_path / "at_the_end.tif", compression="tiff_lzw")
    assert int.from_bytes((tmp_path / "at_the_end.tif").read_bytes()[4:8], "little") > 70_000  # where its header is
    pixels.save(tmp_path / "large.png", compress_level=0)
    whole = (tmp_path / "large.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:70_000])  # its end is missing, its header is not
    for name in ("long_header.jpg", "at_the_end.tif", "large.png", "cut.png"):
        assert image_size(tmp_path / name) == (300, 400), name
