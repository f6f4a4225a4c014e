"""Labels brought back to the voxels of a file, against each voxel's place by nibabel and pydicom alone."""

import nibabel
import numpy as np
import pydicom
import pytest
from ct_files import ORIGIN, SPACING, index_volume, ras_affine, save_nifti, save_series

from common.images.formats.nifti_writer import write_nifti
from common.volumes import Grid, read_organs
from common.volumes.label_names import label_names
from common.volumes.read import read_with_file_grid
from common.volumes.resample import resampled_grid

SHAPE = (7, 8, 9)


def turned(degrees):
    """The axes in the order (H, W, D), W flipped, and turned about an axis that is none of the patient's."""
    affine = ras_affine()
    affine[:, 3] += (SHAPE[2] - 1) * affine[:, 2]
    affine[:, 2] *= -1
    axis, angle = np.array([2.0, 1.0, 2.0]) / 3, np.deg2rad(degrees)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    rotation = np.eye(4)
    rotation[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return index_volume(SHAPE)[:, :, ::-1].transpose(1, 2, 0), (rotation @ affine)[:, [1, 2, 0, 3]]


@pytest.mark.parametrize("degrees", [0, 12])
def test_a_voxel_takes_the_label_at_its_place(tmp_path, degrees):
    values, affine = turned(degrees)
    path = save_nifti(tmp_path / "ct.nii.gz", values, affine)
    volume, own = read_with_file_grid(path)
    header = nibabel.load(path)
    assert own.shape == header.shape and np.array_equal(own.affine, header.affine)
    grid = resampled_grid(volume.grid, (2.2, 1.7, 1.1))
    labels = np.random.default_rng(0).integers(0, 200, grid.shape).astype(np.uint8)
    found = own.labels_from(labels, grid)
    assert found.shape == header.shape and found.dtype == np.uint8
    for index in np.ndindex(header.shape):
        x, y, z = nibabel.affines.apply_affine(header.affine, index)
        place = (np.array([z, -y, -x]) - grid.origin) / grid.spacing
        if np.abs(place - np.floor(place) - 0.5).min() > 1e-6:  # not halfway between two
            nearest = np.clip(np.rint(place), 0, np.array(grid.shape) - 1).astype(int)
            assert found[index] == labels[tuple(nearest)]


@pytest.mark.parametrize("degrees", [0, 12])
def test_what_is_written_is_read_with_its_volume(tmp_path, degrees):
    values, affine = turned(degrees)
    volume, own = read_with_file_grid(save_nifti(tmp_path / "ct.nii.gz", values, affine))
    labels = (np.indices(volume.hounsfield.shape)[2] >= 5).astype(np.uint8)  # the patient's left
    path = tmp_path / "masks" / "ct.nii.gz"
    write_nifti(path, own.labels_from(labels, volume.grid), own.affine, {"a & <b>": 2, "spleen": 1})
    assert label_names(path) == {"spleen": 1, "a & <b>": 2}
    found = read_organs(path, ["spleen"], volume)
    inside = np.ones(found.shape, bool)
    if degrees:  # straightening twice moves a border, and the corners lie outside the file
        inside = (volume.hounsfield > -1000) & (np.abs(np.indices(found.shape)[2] - 4.5) > 1)
    assert inside.sum() > 100 and np.array_equal(found[inside], labels[inside])


def test_a_series_has_the_voxels_of_its_slices(tmp_path):
    folder = save_series(tmp_path / "series", index_volume(SHAPE))
    own = read_with_file_grid(folder)[1]
    assert own.shape == SHAPE[::-1]
    for path in folder.iterdir():
        one = pydicom.dcmread(path)
        z = round((float(one.ImagePositionPatient[2]) - ORIGIN[0]) / SPACING[0])
        right, front, head = nibabel.affines.apply_affine(own.affine, (2, 3, z))
        left, back, up = one.ImagePositionPatient
        assert np.allclose((right, front, head), (-(left + 2 * SPACING[2]), -(back + 3 * SPACING[1]), up))


def test_beyond_the_edge_labels_go_on(tmp_path):
    own = read_with_file_grid(save_nifti(tmp_path / "ct.nii.gz", index_volume(SHAPE)))[1]
    inner = Grid((1, 1, 1), (3.0, 1.25, 0.75), ORIGIN)
    assert (own.labels_from(np.full((1, 1, 1), 9, np.uint8), inner) == 9).all()


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "m.nii.gz"
    write_nifti(path, np.ones(SHAPE, np.uint8), np.eye(4), {"liver": 1})
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_nifti(path, np.zeros(SHAPE, np.uint8), np.eye(4), {"liver": 1})
    with pytest.raises(ZeroDivisionError):
        write_nifti(tmp_path / "other.nii.gz", np.zeros(SHAPE, np.uint8), np.eye(4))
    assert path.read_bytes() == before
    assert all(file == path or file.name.startswith(".") for file in tmp_path.iterdir())
