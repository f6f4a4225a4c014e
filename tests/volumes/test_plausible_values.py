"""A scanned body in every disguise in which volumes come: what is no CT must be said, and CT be left alone."""

import warnings

import nibabel
import numpy as np
import pytest
from ct_files import ras_affine, save_nifti

from common.files import UnreadableImage
from common.readers.inspection import inspect_volume
from common.records import Record
from common.volumes import read_organs, read_volume

SHAPE = (16, 40, 44)


def scan(noise=10.0):
    """Air, fat, soft tissue, lung and bone, with a scanner's noise."""
    z, y, x = (np.linspace(-1, 1, side) for side in SHAPE)
    radius = np.sqrt(y[:, None] ** 2 + x**2)[None] + 0 * z[:, None, None]
    values = np.select([radius < 0.2, radius < 0.45, radius < 0.7, radius < 0.8], [700.0, -850, 40, -100], -1000)
    return np.clip(np.rint(values + np.random.default_rng(0).normal(0, noise, SHAPE)), -1024, 3071)


HU = scan()
UNIT = (HU + 1024) / 2048
OTHERS = {
    "0 to 1": UNIT,
    "-1 to 1": 2 * UNIT - 1,
    "z-score": (HU - HU.mean()) / HU.std(),
    "z-score with metal": np.where(np.sort(HU, axis=None)[-3] <= HU, 30000 - HU.mean(), HU - HU.mean()) / HU.std(),
    "bytes": np.rint(UNIT * 255).astype(np.uint8),
    "signed bytes": np.rint(UNIT * 255 - 128).astype(np.int8),
    "0 to 255 as integers": np.rint(UNIT * 255).astype(np.int16),
    "0 to 255 as floats": UNIT * 255,
    "0 to 1000": UNIT * 1000,
    "0 to 4095": np.rint(UNIT * 4095).astype(np.uint16),
    "0 to 65535": np.rint(UNIT * 65535).astype(np.uint16),
    "HU + 1024": (HU + 1024).astype(np.uint16),
    "HU + 1024, signed": (HU + 1024).astype(np.int16),
    "HU + 1024, floats": HU + 1024.0,
    "HU + 1024, padded": np.where(HU < -1015, -2000, HU + 1024).astype(np.int16),
    "HU + 8192": (HU + 8192).astype(np.int16),
    "HU - 1024": (HU - 1024).astype(np.int16),
    "HU turned round": (-HU).astype(np.int16),
    "bytes in the wrong order": HU.astype(np.int16).byteswap().view(np.int16),
    "a mask": (HU > 300).astype(np.int16),
    "a label map": np.digitize(HU, [-900, -500, 0, 300]).astype(np.int16) * 20,
    "MR": np.abs(np.random.default_rng(1).normal(300, 120, SHAPE)).astype(np.int16),
    "attenuation per cm": 0.2 * (1 + HU / 1000),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_numbers_are_refused_or_said(tmp_path, name):
    path = save_nifti(
        tmp_path / "a.nii.gz", OTHERS[name].astype(np.float32) if OTHERS[name].dtype == float else OTHERS[name]
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            read_volume(path)
        except UnreadableImage as error:
            assert str(path) in str(error) and "Hounsfield" in str(error)
            return
    texts = [str(one.message) for one in said if issubclass(one.category, UserWarning)]
    assert texts and all(str(path) in text and "its values run from" in text for text in texts)


def crop(values):
    """Soft tissue alone."""
    return values[:, 12:28, 8:12]


CT = {
    "as scanned": HU,
    "low dose": scan(80.0),
    "floats with fractions": (HU + 0.37).astype(np.float32),
    "doubles": HU + 0.37,
    "padded with -2000": np.where(np.indices(SHAPE)[2] < 5, -2000, HU),
    "padded with -3024": np.where(np.indices(SHAPE)[2] < 30, -3024, HU),
    "padded with -8192": np.where(np.indices(SHAPE)[2] < 5, -8192, HU),
    "contrast": np.where((HU > 0) & (HU < 100), HU + 300, HU),
    "metal": np.where(HU > 720, 30000, HU),
    "clipped to 1000": np.clip(HU, -1000, 1000),
    "clipped to a window of the abdomen": np.clip(HU, -160, 240),
    "a small thing in air": np.where(np.indices(SHAPE)[1] < 2, 40, -1000 + 0 * HU),
    "soft tissue and fat": np.where(HU < -300, -100, HU),
    "32-bit integers": HU.astype(np.int32),
}


@pytest.mark.parametrize("name", CT)
def test_ct_is_read_and_nothing_is_said(tmp_path, name):
    values = CT[name] if CT[name].dtype.kind == "i" or (CT[name] % 1).any() else CT[name].astype(np.int16)
    path = save_nifti(tmp_path / "a.nii.gz", values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(read_volume(path).hounsfield, values, atol=1e-3)


@pytest.mark.parametrize(
    "values", [np.arange(301), np.arange(-15, 16), np.arange(30, 60)], ids=["0 to 300", "water", "liver"]
)
def test_a_crop_without_air_is_read_and_that_is_said(tmp_path, values):
    cropped = np.random.default_rng(0).choice(values, SHAPE).astype(np.int16)
    with pytest.warns(UserWarning, match="no air, lung or fat"):
        assert np.array_equal(read_volume(save_nifti(tmp_path / "a.nii", cropped)).hounsfield, cropped)


def test_eight_bits_with_a_scaling_are_hounsfield_units(tmp_path):
    image = nibabel.Nifti1Image(np.rint(UNIT * 255).astype(np.uint8), ras_affine())
    image.header.set_slope_inter(2048 / 255, -1024)
    nibabel.save(image, tmp_path / "a.nii")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(read_volume(tmp_path / "a.nii").hounsfield - HU).max() <= 5


@pytest.mark.parametrize(
    ("slope", "intercept", "problem"),
    [(np.inf, 0.0, "scl_slope is inf"), (1.0, np.nan, "scl_inter nan"), (1.0, np.inf, "scl_inter inf")],
)
def test_a_scaling_that_is_no_number_is_refused(tmp_path, slope, intercept, problem):
    path = with_scaling(tmp_path / "a.nii", slope, intercept)
    with pytest.raises(UnreadableImage, match=problem):
        read_volume(path)


def test_an_inspection_names_the_doubt(tmp_path):
    path = save_nifti(tmp_path / "a.nii", OTHERS["HU + 1024"])
    assert "no air, lung or fat" in inspect_volume(Record(str(path), "p", "train", "toy")).problems[0]


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_an_intercept_beside_no_slope_is_said(tmp_path, slope):
    with pytest.warns(UserWarning, match="scl_inter -1024 is not added"):
        assert np.array_equal(read_volume(with_scaling(tmp_path / "a.nii", slope, -1024.0)).hounsfield, HU)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_volume(with_scaling(tmp_path / "a.nii", slope, 0.0))


def with_scaling(path, slope, intercept):
    content = bytearray(save_nifti(path, HU.astype(np.int16)).read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(content)
    return path


@pytest.mark.real
def test_real_ct_and_real_mr(cxr_data):
    folder = cxr_data / "ct_totalsegmentator"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("example_ct.nii.gz", "example_ct_sm.nii.gz", "chest_ct_cropped.nii.gz", "example_ct_dicom"):
            volume = read_volume(folder / name)
        read_organs(folder / "example_seg_dicom.nii.gz", ["liver"], volume)
    with pytest.warns(UserWarning, match="no air, lung or fat.*from -47 to 833"):
        read_volume(folder / "example_mr_sm.nii.gz")
    with pytest.raises(UnreadableImage, match="8-bit numbers"):
        read_volume(folder / "chest_pulmonary_artery.nii.gz")


@pytest.mark.parametrize("name", ["0 to 1", "-1 to 1", "z-score", "z-score with metal"])
def test_what_was_normalised_is_refused(tmp_path, name):
    with pytest.raises(UnreadableImage, match="no Hounsfield units"):
        read_volume(save_nifti(tmp_path / "a.nii.gz", OTHERS[name].astype(np.float32)))
