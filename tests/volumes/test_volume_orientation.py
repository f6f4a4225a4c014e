import itertools

import itk
import numpy as np
import pytest
from ct_files import ORIGIN, SHAPE, SPACING, index_volume, ras_affine, save_nifti, save_series, save_slice

from common.volumes import read_volume

TURNS = [
    (axes, flips) for axes in itertools.permutations(range(3)) for flips in itertools.product((False, True), repeat=3)
]


def turned(values, affine, axes, flips):
    """The same patient in an array with other axes; the affine follows by its definition, voxel by voxel."""
    flipped = values[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    array = flipped.transpose(axes)

    def index_in_original(index):
        original = [0, 0, 0]
        for axis, number in zip(axes, index, strict=True):
            original[axis] = SHAPE[axis] - 1 - number if flips[axis] else number
        return original

    points = [affine @ [*index_in_original(index), 1] for index in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    matrix = np.stack([*(point - points[0] for point in points[1:]), points[0]], axis=1)
    return array, matrix


def check(volume, expected=None):
    assert np.array_equal(volume.hounsfield, index_volume() if expected is None else expected)
    assert volume.hounsfield.flags.c_contiguous
    assert np.allclose(volume.spacing, SPACING) and np.allclose(volume.origin, ORIGIN, atol=1e-4)


@pytest.mark.parametrize(("axes", "flips"), TURNS)
def test_nifti_of_every_orientation_reads_equal(tmp_path, axes, flips):
    array, affine = turned(index_volume(), ras_affine(), axes, flips)
    check(read_volume(save_nifti(tmp_path / "a.nii.gz", array, affine)))


LPS = np.diag([-1.0, -1, 1, 1])


@pytest.mark.parametrize(("axes", "flips"), TURNS)
def test_a_series_of_every_orientation_reads_equal(tmp_path, axes, flips):
    array, affine = turned(index_volume(), LPS @ ras_affine(), axes, flips)
    steps, origin = affine[:3, :3].T, affine[:3, 3]
    spacing = np.linalg.norm(steps, axis=1)
    for number, pixels in enumerate(array):
        save_slice(
            tmp_path / f"{(5 * number) % 17}.dcm",
            pixels,
            origin + number * steps[0],
            row=steps[2] / spacing[2],
            column=steps[1] / spacing[1],
            spacing=spacing[1:],
        )
    check(read_volume(tmp_path))


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd"])
@pytest.mark.parametrize(("axes", "flips"), TURNS[::5])
def test_itk_formats_of_every_orientation_read_equal(tmp_path, name, axes, flips):
    array, affine = turned(index_volume(), LPS @ ras_affine(), axes, flips)
    steps = affine[:3, [2, 1, 0]]  # ITK's x is the array's last axis
    spacing = np.linalg.norm(steps, axis=0)
    image = itk.image_from_array(np.ascontiguousarray(array))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection(itk.matrix_from_array(steps / spacing))
    itk.imwrite(image, str(tmp_path / name))
    check(read_volume(tmp_path / name))


def test_all_formats_agree_on_what_is_left(tmp_path):
    """Not by any affine of ours: DICOM's x grows to the left and a NIfTI file in RAS+ counts from the left."""
    values = np.zeros(SHAPE, np.int16)
    values[:, :, 4:] = 50  # the patient's left
    save_series(tmp_path / "series", values)
    ras = values[:, ::-1, ::-1].transpose(2, 1, 0)
    save_nifti(tmp_path / "a.nii", ras, np.diag([*reversed(SPACING), 1.0]))
    for place in ("series", "a.nii"):
        assert np.array_equal(read_volume(tmp_path / place).hounsfield, values)


def test_rad_chestct_runs_from_head_to_feet(tmp_path):
    np.savez_compressed(tmp_path / "trn00001.npz", ct=index_volume()[::-1])
    volume = read_volume(tmp_path / "trn00001.npz")
    assert np.array_equal(volume.hounsfield, index_volume()) and np.allclose(volume.spacing, 0.8)


def rotation(degrees):
    """About the patient's left-right axis, in our (z, y, x)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def world_ramp(z, y, x):
    return 3.0 * z - 2.0 * y + x


def on_ramp(volume, inside):
    """Where the file has voxels, what was resampled is the linear field at the voxel's own place in the world."""
    shape = volume.hounsfield.shape
    grid = [o + s * np.arange(n) for o, s, n in zip(volume.origin, volume.spacing, shape, strict=True)]
    z, y, x = np.meshgrid(*grid, indexing="ij")
    known = inside(z, y, x)
    assert known.mean() > 0.3
    assert np.abs(volume.hounsfield - world_ramp(z, y, x))[known].max() < 0.05


def test_an_oblique_volume_is_resampled_to_the_patients_axes(tmp_path):
    shape, spacing = np.array((20, 24, 16)), np.array((2.0, 1.5, 1.0))
    axes, origin = rotation(15) @ np.diag(spacing), np.array([-30.0, 20.0, 10.0])
    index = np.indices(shape).reshape(3, -1)
    z, y, x = axes @ index + origin[:, None]
    values = world_ramp(z, y, x).reshape(shape).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, origin
    to_ras = np.array([[0, 0, -1.0, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    volume = read_volume(save_nifti(tmp_path / "a.nii", values, to_ras @ affine))
    assert np.allclose(volume.spacing, spacing)

    def inside(z, y, x):
        place = np.linalg.inv(axes) @ (np.stack([z.ravel(), y.ravel(), x.ravel()]) - origin[:, None])
        return ((place >= 0) & (place <= shape[:, None] - 1)).all(0).reshape(z.shape)

    on_ramp(volume, inside)
    assert volume.hounsfield[0, 0, 0] == -1024  # the corner that the tilted block leaves empty


def test_padding_of_an_oblique_volume_is_air_before_it_is_interpolated(tmp_path):
    """A tissue's voxel beside padding of -8192 would otherwise become anything between the two."""
    values = np.full((24, 24, 24), 100, np.int16)
    values[12:] = -8192
    turned = np.eye(4)
    turned[:3, :3] = rotation(15)
    volume = read_volume(save_nifti(tmp_path / "a.nii", values, turned))
    assert volume.hounsfield.min() == -1024 and volume.hounsfield.max() == 100
    between = ((volume.hounsfield > -1024) & (volume.hounsfield < 100)).sum()
    assert 0 < between < 0.25 * volume.hounsfield.size  # the interpolated rim, on a scale of 1124 and not of 8292


def test_a_tilted_gantry_is_resampled_upright(tmp_path):
    """The table moves along z while the planes are tilted: a sheared block."""
    tilt, step = np.radians(20), 2.5
    column = np.array([0.0, np.cos(tilt), -np.sin(tilt)])  # down the rows, in DICOM's (x, y, z)
    start, size, shape = np.array([5.0, -40.0, 100.0]), 1.0, (24, 20, 12)
    for number in range(shape[0]):
        position = start + np.array([0, 0, step * number])
        points = position + np.arange(shape[1])[:, None] * size * column
        z, y = points[:, 2], points[:, 1]
        x = start[0] + size * np.arange(shape[2])
        pixels = np.rint(world_ramp(z[:, None], y[:, None], x[None]) * 10).astype(np.int16)
        facts = {"RescaleSlope": 0.1, "GantryDetectorTilt": 20}
        save_slice(tmp_path / f"{number}.dcm", pixels, position, column=column, spacing=(size, size), **facts)
    volume = read_volume(tmp_path)
    assert np.allclose(volume.spacing, (step, size, size))

    def inside(z, y, x):
        row = (y - start[1]) / column[1]
        slice_ = (z - start[2] - row * column[2]) / step
        return (row >= 0) & (row <= shape[1] - 1) & (slice_ >= 0) & (slice_ <= shape[0] - 1)

    on_ramp(volume, inside)


def test_rounding_in_an_affine_does_not_resample(tmp_path):
    array = index_volume().transpose(2, 1, 0)
    affine = ras_affine()[:, [2, 1, 0, 3]]
    affine[:3, :3] += np.random.default_rng(0).uniform(-1e-3, 1e-3, (3, 3))
    volume = read_volume(save_nifti(tmp_path / "a.nii", array, affine))
    assert np.array_equal(volume.hounsfield, index_volume())
