import numpy as np
import pytest
import torch
from ct_files import ORIGIN, index_volume, ras_affine, save_nifti

from common.volumes import Grid, Preparation, read_volume
from common.volumes.resample import body_box, cut, resample, resampled_grid, scaled
from common.volumes.task import Task


def places(grid):
    axes = [o + s * np.arange(n) for o, s, n in zip(grid.origin, grid.spacing, grid.shape, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def field(z, y, x):
    return 2.0 * z - 3.0 * y + 4.0 * x


@pytest.mark.parametrize("spacing", [(3.0, 1.5, 1.5), (2.0, 2.0, 2.0), (0.7, 0.9, 0.31), (1.0, 0.8, 0.6)])
def test_a_linear_field_stays_the_field_at_every_new_voxel(spacing):
    grid = Grid((24, 30, 36), (1.0, 0.8, 0.6), (-20.0, 10.0, 5.0))
    onto = resampled_grid(grid, spacing)
    found = resample(field(*places(grid)).astype(np.float32), grid, onto, order=1)
    assert found.dtype == np.int16 and found.shape == onto.shape
    lines = places(onto)
    inner = np.ones(onto.shape, bool)  # half a voxel at the rim is carried on, not extrapolated
    for line, origin, step, count in zip(lines, grid.origin, grid.spacing, grid.shape, strict=True):
        inner &= (line >= origin) & (line <= origin + step * (count - 1))
    assert inner.mean() > 0.5
    assert np.abs(found - field(*lines))[inner].max() <= 0.51


def test_the_new_grid_keeps_centre_and_extent():
    grid = Grid((25, 31, 37), (1.1, 0.83, 0.61), (-20.0, 10.0, 5.0))
    onto = resampled_grid(grid, (3.0, 1.5, 1.5))
    centres = [np.array(g.origin) + np.array(g.spacing) * (np.array(g.shape) - 1) / 2 for g in (grid, onto)]
    assert np.allclose(*centres)
    lost = np.array(grid.shape) * grid.spacing - np.array(onto.shape) * onto.spacing
    assert (np.abs(lost) <= np.array(onto.spacing) / 2 + 1e-9).all()


def test_labels_take_their_nearest_neighbour_and_meet_the_volume():
    labels = np.random.default_rng(0).integers(0, 7, (8, 9, 10)).astype(np.uint8)
    grid = Grid(labels.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    onto = resampled_grid(grid, (1.9, 1.3, 0.7))
    found = resample(labels, grid, onto, order=0)
    z, y, x = (np.clip(np.rint(line), 0, n - 1).astype(int) for line, n in zip(places(onto), labels.shape, strict=True))
    assert found.dtype == np.uint8 and np.array_equal(found, labels[z, y, x])


def test_padding_outside_the_field_of_view_does_not_bleed():
    values = np.full((6, 6, 6), -8192, np.int16)
    values[3:] = 50
    grid = Grid(values.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    found = resample(values, grid, resampled_grid(grid, (0.5, 1.0, 1.0)), order=1)
    assert found.min() == -1024
    # 2.25 and 2.75 on the way from air to tissue, a quarter and three quarters of it.
    assert abs(found[5, 0, 0] - (-1024 + 0.25 * 1074)) <= 0.5 and abs(found[6, 0, 0] - (-1024 + 0.75 * 1074)) <= 0.5


def test_the_window_goes_from_minus_one_to_one():
    values = np.array([-3000, -1000, -400, 200, 900], np.int16)
    found = scaled(values, -1000, 200)
    assert found.dtype == np.float32 and found[0] == -1 and found[-1] == 1
    assert np.allclose(found, [-1, -1, 0, 1, 1], atol=1e-6)
    assert np.allclose(scaled(np.array([50.0], np.float32), -150, 250), 0, atol=1e-6)


def test_the_body_is_the_largest_thing_and_not_the_table():
    volume = np.full((20, 40, 50), -1000, np.int16)
    volume[3:17, 10:24, 12:40] = 30
    volume[6:10, 14:18, 16:20] = -850  # a lung inside it
    volume[:, 36, :] = 200  # the table, longer but thinner
    box = body_box(volume, (0, 0, 0))
    for side, start, stop in zip(box, (3, 10, 12), (17, 24, 40), strict=True):
        assert start - 1 <= side.start <= start + 1 and stop - 1 <= side.stop <= stop + 1
    wider = body_box(volume, (5, 2, 100))
    assert wider[0] == slice(0, 20) and wider[2] == slice(0, 50)
    assert (wider[1].start, wider[1].stop) == (box[1].start - 2, box[1].stop + 2)


def test_a_box_may_reach_beyond_the_volume():
    values = index_volume((5, 6, 7))
    padded = np.pad(values, 10, constant_values=-9)
    for start in ((0, 0, 0), (-3, 2, 5), (4, -6, -1), (-9, -9, -9)):
        a, b, c = (first + 10 for first in start)
        assert np.array_equal(cut(values, start, (4, 5, 6), -9), padded[a : a + 4, b : b + 5, c : c + 6])


def test_a_whole_preparation(tmp_path):
    values = (index_volume((12, 16, 20)) % 300).astype(np.int16)
    affine = ras_affine((1.5, 0.75, 0.75))
    image = save_nifti(tmp_path / "a.nii.gz", values, affine)
    labels = np.where(values > 150, 5, 0).astype(np.uint8)
    mask = save_nifti(tmp_path / "m.nii.gz", labels, affine)
    preparation = Preparation(structures=["spleen", "liver"], label_table="v2")
    made = preparation.prepare(Task(str(image), str(mask)))
    assert made.hounsfield.shape == made.organs.shape == made.grid.shape == (6, 8, 10)
    assert made.hounsfield.dtype == np.int16 and set(np.unique(made.organs)) == {0, 2}  # no 1 between
    # Halving every spacing puts each new voxel in the middle of eight old ones.
    blocks = values.reshape(6, 2, 8, 2, 10, 2).astype(float).mean((1, 3, 5))
    assert np.abs(made.hounsfield - blocks).max() <= 0.51
    judge = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None].float(), scale_factor=0.5, mode="trilinear"
    )
    assert np.abs(made.hounsfield - judge[0, 0].numpy()).max() <= 0.51
    assert np.allclose(made.grid.origin, np.add(ORIGIN, (0.75, 0.375, 0.375)))
    assert preparation.prepare(Task(str(image))).organs is None
    assert Preparation().prepare(Task(str(image), str(mask))).organs is None


def test_cropping_to_the_body_moves_the_origin_with_it(tmp_path):
    values = np.full((20, 40, 40), -1000, np.int16)
    values[6:14, 10:30, 12:20] = 40
    image = save_nifti(tmp_path / "a.nii", values, ras_affine((3.0, 1.5, 1.5)))
    made = Preparation(body_margin=3.0).prepare(Task(str(image)))
    whole = read_volume(image)
    first = np.rint((np.array(made.grid.origin) - whole.origin) / whole.spacing).astype(int)
    box = tuple(slice(start, start + length) for start, length in zip(first, made.grid.shape, strict=True))
    assert np.array_equal(made.hounsfield, whole.hounsfield[box])
    assert (made.hounsfield == 40).sum() == (values == 40).sum() and made.hounsfield.size < values.size / 3


def test_settings_have_a_name_and_bounds():
    assert Preparation(spacing=[3, 1.5, 1.5]).name == Preparation().name
    names = {Preparation().name, Preparation((3.0, 1.5, 1.6)).name, Preparation(structures=("liver",)).name}
    names |= {Preparation(body_margin=0.0).name, Preparation(structures=("liver",), label_table="v1").name}
    assert len(names) == 5
    for wrong in ({"spacing": (3.0, 1.5)}, {"spacing": (3.0, 0.0, 1.5)}, {"body_margin": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Preparation(**wrong)


@pytest.mark.real
def test_real_volumes_and_the_series_go_through(cxr_data):
    folder = cxr_data / "ct_totalsegmentator"
    pairs = {
        "example_ct.nii.gz": "example_seg_fast_force_split.nii.gz",
        "example_ct_sm.nii.gz": "example_seg.nii.gz",
        "example_ct_dicom": "example_seg_dicom.nii.gz",
    }
    preparation = Preparation(structures=("liver", "lung_lower_lobe_left", "lung_lower_lobe_right"), body_margin=6.0)
    for image, mask in pairs.items():
        made = preparation.prepare(Task(str(folder / image), str(folder / mask)))
        assert made.hounsfield.shape == made.organs.shape and made.grid.spacing == (3.0, 1.5, 1.5)
        present = set(np.unique(made.organs)) - {0}
        assert present
        for number in present - {1}:
            assert np.median(made.hounsfield[made.organs == number]) < -500
        if 1 in present:
            assert 0 < np.median(made.hounsfield[made.organs == 1]) < 200
    made = preparation.prepare(Task(str(folder / "example_ct.nii.gz"), str(folder / "example_seg_dicom.nii.gz")))
    assert made.organs is None and made.refused.path.endswith("example_seg_dicom.nii.gz")
