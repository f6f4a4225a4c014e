"""Which of a NIfTI header's affines and spacings is used, and when that it has several is said or refused."""

import warnings

import nibabel
import numpy as np
import pytest
from ct_files import ORIGIN, SPACING, index_volume, ras_affine, save_nifti

from common.files import UnreadableImage
from common.volumes import read_organs, read_volume
from common.volumes.doubts import Doubt

MIRROR = np.diag([-1.0, 1, 1, 1])


def save(path, sform=None, qform=None, codes=(1, 1), spacing=None):
    image = nibabel.Nifti1Image(index_volume() - 100, ras_affine())  # some of it is fat, so that no value is doubted
    image.set_sform(ras_affine() if sform is None else sform, codes[0])
    image.set_qform(ras_affine() if qform is None else qform, codes[1])
    if spacing is not None:
        image.header["pixdim"][1:4] = spacing
    nibabel.save(image, path)
    return path


def silent(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_volume(path)


def refused(path, *fragments):
    with pytest.raises(UnreadableImage) as error:
        read_volume(path)
    for fragment in (str(path), *fragments):
        assert fragment in str(error.value), str(error.value)


def judged(volume, affine):
    """Every voxel's place by the affine, in the patient."""
    for d, h, w in np.ndindex(volume.hounsfield.shape):
        x, y, z = nibabel.affines.apply_affine(
            affine, np.argwhere(index_volume() - 100 == volume.hounsfield[d, h, w])[0]
        )
        ours = np.array(volume.origin) + np.array([d, h, w]) * volume.spacing
        assert np.allclose(ours, (z, -y, -x), atol=1e-3)


def test_one_grid_in_two_affines_is_silent(tmp_path):
    for codes in ((1, 1), (1, 0), (0, 1), (2, 1), (4, 4)):
        judged(silent(save(tmp_path / "a.nii", codes=codes)), ras_affine())
    nudged = ras_affine()
    nudged[:3, :3] += np.random.default_rng(0).uniform(-1e-3, 1e-3, (3, 3))  # single precision, and programs' rounding
    silent(save(tmp_path / "a.nii", sform=nudged))


def test_left_and_right_in_contradiction_are_refused_whatever_the_codes(tmp_path):
    for codes in ((1, 1), (2, 1), (4, 2)):
        refused(save(tmp_path / "a.nii", sform=MIRROR @ ras_affine(), codes=codes), "its sform and its qform differ")
    judged(silent(save(tmp_path / "a.nii", sform=MIRROR @ ras_affine(), codes=(0, 1))), ras_affine())
    judged(silent(save(tmp_path / "a.nii", sform=MIRROR @ ras_affine(), codes=(1, 0))), MIRROR @ ras_affine())


def test_two_grids_of_one_space_are_refused_and_of_two_spaces_said(tmp_path):
    """A registration (code 4, MNI) may scale and turn; two grids of the scanner's space cannot both be right."""
    wider = ras_affine((5.0, 1.25, 0.75))
    refused(save(tmp_path / "a.nii", sform=wider), "5 x 1.25 x 0.75 mm", "3 x 1.25 x 0.75 mm", "Set the code")
    with pytest.warns(UserWarning, match="the sform is used"):
        volume = read_volume(save(tmp_path / "a.nii", sform=wider, codes=(4, 1)))
    judged(volume, wider)


def test_another_origin_is_said(tmp_path):
    moved = ras_affine(origin=(-650.0, *ORIGIN[1:]))
    with pytest.warns(
        UserWarning, match=r"from \(90.5, 120, -650\) against.* from \(90.5, 120, -700\); the sform is used"
    ):
        judged(read_volume(save(tmp_path / "a.nii", sform=moved)), moved)


def test_the_shear_of_a_tilted_gantry_is_not_in_a_qform(tmp_path):
    """What dcm2niix writes: the shear in the sform, the nearest turn without it in the qform."""
    sheared = ras_affine()
    sheared[1, 0] = SPACING[0] * np.tan(np.radians(20))
    image = nibabel.Nifti1Image(index_volume() - 100, sheared)
    image.set_sform(sheared, 1)
    image.header.set_qform(sheared, 1, strip_shears=True)
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.warns(UserWarning, match="the sform is used"):
        read_volume(tmp_path / "a.nii")


def test_a_spacing_that_is_not_the_sforms_is_said(tmp_path):
    """ITK takes pixdim, nibabel the sform."""
    with pytest.warns(
        UserWarning, match="sform has voxels of 3 x 1.25 x 0.75 mm and its pixdim of 2.5 x 1.25 x 0.75 mm"
    ):
        judged(read_volume(save(tmp_path / "a.nii", codes=(1, 0), spacing=(2.5, 1.25, 0.75))), ras_affine())
    silent(save(tmp_path / "a.nii", codes=(1, 0), spacing=(0, 0, 0)))  # says nothing


@pytest.mark.parametrize("qfac", [1.0, -1.0])
def test_qfac_turns_the_third_axis(tmp_path, qfac):
    """By the standard's method 2: x = R diag(dx, dy, qfac dz) i + offset, with R from the quaternion (0, 0, 0, 1)."""
    path = save(tmp_path / "a.nii", codes=(0, 1))
    content = bytearray(path.read_bytes())
    content[76:80] = np.array(qfac, "<f4").tobytes()
    content[256:280] = np.array([0, 0, 1, 10, 20, -30], "<f4").tobytes()  # b, c, d: half a turn about z
    path.write_bytes(content)
    expected = np.diag([-SPACING[0], -SPACING[1], qfac * SPACING[2], 1.0])
    expected[:3, 3] = 10, 20, -30
    judged(silent(path), expected)


def test_spacing_alone_has_no_left_and_right(tmp_path):
    """nibabel makes x run to the left, ITK half a turn from that; the standard's method 1 says neither."""
    refused(save(tmp_path / "a.nii", codes=(0, 0)), "no orientation")
    content = bytearray(save(tmp_path / "a.nii").read_bytes())
    content[252:256] = np.array([0, 9], "<i2").tobytes()  # a code that NIfTI does not have is no code
    (tmp_path / "a.nii").write_bytes(content)
    refused(tmp_path / "a.nii", "no orientation")


def test_a_damaged_qform_beside_a_sound_sform_is_said(tmp_path):
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[256:268] = np.array([3, 3, 3], "<f4").tobytes()  # no quaternion is as long
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="qform is damaged; the sform is used"):
        judged(read_volume(path), ras_affine())


@pytest.mark.parametrize(("code", "factor"), [(1, 1e-3), (2, 1.0), (3, 1e3), (0, 1.0), (2 + 8, 1.0), (3 + 16, 1e3)])
def test_units_of_length_count_and_those_of_time_do_not(tmp_path, code, factor):
    path = save(tmp_path / "a.nii", *[np.diag([factor] * 3 + [1]) @ ras_affine()] * 2)
    content = bytearray(path.read_bytes())
    content[123] = code
    path.write_bytes(content)
    volume = silent(path)
    assert np.allclose(volume.spacing, SPACING) and np.allclose(volume.origin, ORIGIN)


def test_an_unknown_unit_is_said(tmp_path):
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[123] = 5
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="unit of length has the code 5"):
        assert np.allclose(read_volume(path).spacing, SPACING)


@pytest.mark.parametrize(
    ("code", "spacing", "words"),
    [
        (3, (3, 0.7, 0.7), r"0.003 x 0.0007 x 0.0007 mm.*\(microns: 3 in xyzt_units\)"),
        (1, (3, 0.7, 0.7), r"3000 x 700 x 700 mm.*\(metres: 1 in xyzt_units\)"),
        (2, (0.3, 0.07, 0.04), r"0.3 x 0.07 x 0.04 mm.*\(mm: 2 in xyzt_units\)"),
        (2, (500, 5, 5), r"500 x 5 x 5 mm and all of it 2000 x 25 x 30 mm"),
        (0, (20.5, 7, 7), r"20.5 x 7 x 7 mm.*none, taken for mm"),
    ],
)
def test_a_unit_in_which_no_person_is_scanned_is_said_with_the_spacing(tmp_path, code, spacing, words):
    path = save(tmp_path / "a.nii", *[ras_affine(spacing)] * 2)
    content = bytearray(path.read_bytes())
    content[123] = code
    path.write_bytes(content)
    with pytest.warns(Doubt, match=rf"^{path}: its voxels have .*{words}") as said:
        read_volume(path)
    assert len(said) == 1


@pytest.mark.parametrize("spacing", [(0.06, 0.05, 0.05), (0.5, 0.2, 0.2), (10, 0.97, 0.97), (20, 5.4, 5.4)])
def test_spacings_of_people_are_silent(tmp_path, spacing):
    silent(save(tmp_path / "a.nii", *[ras_affine(spacing)] * 2))


def test_a_size_that_no_person_has_is_said(tmp_path):
    """Centimetres for millimetres leave voxels that could be, and a volume that could not."""
    with pytest.warns(Doubt, match=r"12 x 6 x 6 mm and all of it 72 x 2808 x 36 mm"):
        values = np.tile(index_volume((6, 6, 6)) - 100, (1, 78, 1))
        read_volume(save_nifti(tmp_path / "a.nii", values, ras_affine((12, 6, 6))))


def test_label_maps_pass_the_same_checks(tmp_path):
    volume = silent(save(tmp_path / "ct.nii"))
    path = save_nifti(tmp_path / "m.nii", np.ones(index_volume().shape, np.uint8))
    image = nibabel.load(path)
    image.set_qform(MIRROR @ ras_affine(), 1)
    nibabel.save(image, tmp_path / "n.nii")
    with pytest.raises(UnreadableImage, match="its sform and its qform differ"):
        read_organs(tmp_path / "n.nii", ["liver"], volume, "v2")
