import gzip
import warnings

import nibabel
import numpy as np
import pytest
from ct_files import SPACING, index_volume, label_extension, ras_affine, save_nifti, save_series, save_slice
from pydicom.uid import JPEG2000Lossless, RLELossless

from common.files import UnreadableImage
from common.records import Calibration
from common.volumes import read_volume
from common.volumes.hounsfield import hounsfield


def refused(path, *fragments, calibration=None):
    with pytest.raises(UnreadableImage) as error:
        read_volume(path, calibration)
    for fragment in (str(path), *fragments):
        assert fragment in str(error.value), str(error.value)


def test_rescale_is_each_slices_own(tmp_path):
    values = index_volume()
    for index, pixels in enumerate(values):
        stored = ((pixels.astype(int) + 1000 + index) // 1).astype(np.uint16)
        facts = {"RescaleIntercept": -1000 - index}
        save_slice(tmp_path / f"{index}.dcm", stored, (0, 0, 3 * index), **facts)
    found = read_volume(tmp_path).hounsfield
    assert found.dtype == np.int16 and np.array_equal(found, values)
    for index, pixels in enumerate(values):
        save_slice(tmp_path / f"{index}.dcm", pixels, (0, 0, 3 * index), RescaleSlope=0.5 * (index + 1))
    expected = np.stack([pixels * 0.5 * (index + 1) for index, pixels in enumerate(values)])
    assert np.allclose(read_volume(tmp_path).hounsfield, expected)


def test_the_sign_of_twelve_bits_in_sixteen(tmp_path):
    """RATIC's trap: PixelRepresentation 1 and BitsStored < BitsAllocated, with the upper bits left empty."""
    values = (index_volume() * 5 - 1000).astype(np.int16)
    save_series(tmp_path, (values & 0x0FFF).astype(np.int16), BitsStored=12, HighBit=11)
    assert np.array_equal(read_volume(tmp_path).hounsfield, values)


def test_monochrome1_is_a_matter_of_display(tmp_path):
    save_series(tmp_path, index_volume(), PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_volume(tmp_path).hounsfield, index_volume())


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("signed", [True, False])
def test_compressed_slices(tmp_path, syntax, signed):
    values = np.tile(index_volume() * 4 - 1024, (1, 8, 8)).astype(np.int16)
    stored = values if signed else (values + 1024).astype(np.uint16)
    for index, pixels in enumerate(stored):
        data = save_slice(tmp_path / f"{index}.dcm", pixels, (0, 0, 3 * index), RescaleIntercept=0 if signed else -1024)
        data.compress(syntax)
        data.save_as(tmp_path / f"{index}.dcm")
    assert np.array_equal(read_volume(tmp_path).hounsfield, values)


def test_slices_missing_repeated_or_uneven(tmp_path):
    values = np.tile(index_volume(), (3, 1, 1))
    save_series(tmp_path / "a", values)
    (lost,) = (tmp_path / "a").glob("*-5.dcm")
    content = lost.read_bytes()
    lost.unlink()
    refused(tmp_path / "a", "about 1 slices are missing", "-4.dcm at -688 mm", "-6.dcm at -682 mm")
    lost.write_bytes(content)
    read_volume(tmp_path / "a")
    (tmp_path / "a" / "copy.dcm").write_bytes(content)
    refused(tmp_path / "a", "repeat a place", "copy.dcm", lost.name)
    for index, pixels in enumerate(values):
        save_slice(tmp_path / "b" / f"{index}.dcm", pixels, (0, 0, 3 * index + 0.4 * (index % 2)))
    refused(tmp_path / "b", "stand unevenly, 2.6 to 3.4 mm")
    for index, pixels in enumerate(values):
        save_slice(tmp_path / "c" / f"{index}.dcm", pixels, (0, 5 * (index > 6), 3 * index))
    refused(tmp_path / "c", "do not follow one line")
    save_slice(tmp_path / "d" / "0.dcm", values[0], (0, 0, 0))
    refused(tmp_path / "d", "one slice")


def test_series_sizes_and_orientations_do_not_mix(tmp_path):
    values = index_volume()
    save_series(tmp_path, values)
    extra = {"position": (0, 0, 0), "uid": "9.8.7"}
    save_slice(tmp_path / "z.dcm", values[0], **extra)
    refused(tmp_path, "2 series: 1.2.3 (4 slices); 9.8.7 (1 slices)")
    save_slice(tmp_path / "z.dcm", values[0][:, :-1], (0, 0, 0))
    refused(tmp_path, "differ in size", "z.dcm (5, 5)")
    save_slice(tmp_path / "z.dcm", values[0], (0, 0, 0), column=(0, 0, 1))
    refused(tmp_path, "differ in orientation", "z.dcm (1, 0, 0, 0, 0, 1)")
    save_slice(tmp_path / "z.dcm", values[0], (0, 0, 0), spacing=(1, 1))
    refused(tmp_path, "differ in pixel spacing")


@pytest.mark.parametrize("lacking", ["ImagePositionPatient", "PixelSpacing", "RescaleIntercept"])
def test_a_slice_without_place_size_or_units(tmp_path, lacking):
    save_series(tmp_path, index_volume(), **{lacking: None})
    refused(tmp_path, f"has no {lacking}")


def test_what_else_may_lie_in_a_series_folder(tmp_path):
    save_series(tmp_path, index_volume())
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    read_volume(tmp_path)
    (tmp_path / "cut.dcm").write_bytes(b"")
    refused(tmp_path, "cut.dcm is no readable DICOM file")
    (tmp_path / "cut.dcm").unlink()
    (path,) = tmp_path.glob("*-1.dcm")
    path.write_bytes(path.read_bytes()[:-20])
    refused(tmp_path, f"pixels of {path.name} cannot be decoded")
    refused(path, "single DICOM file")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no DICOM slice")
    save_series(tmp_path / "mr", index_volume(), Modality="MR")
    refused(tmp_path / "mr", "modality MR")


def test_damaged_and_foreign_files(tmp_path):
    noise = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    path = save_nifti(tmp_path / "a.nii.gz", noise)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(path, "gzip data are cut or corrupt")
    path.write_bytes(content[:600] + bytes(200) + content[800:])
    refused(path, "gzip data are cut or corrupt")
    path.write_bytes(gzip.compress(gzip.decompress(content)[:-100]))
    refused(path, "damaged or unsupported")
    path.write_bytes(b"")
    refused(path, "0 bytes")
    path.write_bytes(b"hello, this is text")
    refused(path, "not a volume of a known type")
    refused(tmp_path / "nowhere.nii.gz", "no such file")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    refused(tmp_path / "a.npz", "damaged")
    np.savez(tmp_path / "b.npz", volume=noise)
    refused(tmp_path / "b.npz", "no array 'ct' (it holds volume)")


def test_a_file_without_spacing_or_orientation(tmp_path):
    for wrong in (0.0, np.nan):  # nibabel refuses to write these: into the bytes of the sform's rows
        content = bytearray(save_nifti(tmp_path / "s.nii", index_volume()).read_bytes())
        rows = np.frombuffer(content, "<f4", 12, 280).reshape(3, 4)
        rows[:, 1] = wrong
        (tmp_path / "s.nii").write_bytes(content)
        refused(tmp_path / "s.nii", "no usable spacing")
    for codes, spacing, problem in (((0, 0), 1.25, "gives no orientation"), ((1, 0), 0.0, "no usable spacing")):
        content = bytearray(save_nifti(tmp_path / "q.nii", index_volume()).read_bytes())
        content[252:256] = np.array(codes, "<i2").tobytes()  # qform and sform
        content[84:88] = np.array(spacing, "<f4").tobytes()
        (tmp_path / "q.nii").write_bytes(content)
        refused(tmp_path / "q.nii", problem)
    header = "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    values = np.arange(64, dtype=np.int16).tobytes()
    (tmp_path / "a.mha").write_bytes(header.encode() + values)
    refused(tmp_path / "a.mha", "no spacing ('elementspacing')")
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nspacings: 1 1 1\nencoding: raw\nendian: little\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + values)
    refused(tmp_path / "a.nrrd", "no spacing ('space directions')")
    spaced = "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementSpacing = 1 1 1\nElementType = MET_SHORT\n"
    (tmp_path / "b.mha").write_bytes(f"{spaced}ElementDataFile = LOCAL\n".encode() + values)
    refused(tmp_path / "b.mha", "no orientation ('transformmatrix')")
    directions = "space dimension: 3\nspace directions: (1,0,0) (0,1,0) (0,0,1)"
    (tmp_path / "b.nrrd").write_bytes(header.replace("spacings: 1 1 1", directions).encode() + values)
    refused(tmp_path / "b.nrrd", "no orientation ('space')")


def test_what_is_no_ct_of_a_body(tmp_path):
    shape = (4, 5, 6)
    air = np.full(shape, -1000, np.int16) + np.arange(6, dtype=np.int16)
    refused(save_nifti(tmp_path / "air.nii", air), "only air", "the highest is -995")
    refused(save_nifti(tmp_path / "flat.nii", np.full(shape, 40, np.int16)), "every voxel has the value 40")
    named = [label_extension({"liver": 1, "spleen": 2})]
    refused(save_nifti(tmp_path / "labels.nii", index_volume(), header=named), "it is a label map")
    noise = index_volume().astype(np.float32)
    noise[0, 0, 0] = np.nan
    refused(save_nifti(tmp_path / "nan.nii", noise), "1 voxels are not numbers")
    refused(save_nifti(tmp_path / "time.nii", np.stack([noise, noise], -1)), "2 volumes")
    refused(save_nifti(tmp_path / "slice.nii", index_volume()[:, :, :1]), "4 x 5 x 1 is no volume")
    assert read_volume(save_nifti(tmp_path / "one.nii", index_volume()[..., None])).hounsfield.shape == shape


def test_nifti_scaling_is_applied(tmp_path):
    image = nibabel.Nifti1Image(index_volume(), ras_affine())
    image.header.set_slope_inter(0.5, -100)
    nibabel.save(image, tmp_path / "a.nii")
    assert np.allclose(read_volume(tmp_path / "a.nii").hounsfield, index_volume() * 0.5 - 100)


def test_a_calibration_replaces_scaling_spacing_and_orientation(tmp_path):
    """CT-RATE's first version: stored numbers with an offset, and an affine that is not to be trusted."""
    stored = (index_volume().transpose(2, 1, 0) + 8192).astype(np.int32)
    path = save_nifti(tmp_path / "a.nii.gz", stored, np.eye(4))
    volume = read_volume(path, Calibration(1.0, -8192.0, SPACING))
    assert np.array_equal(volume.hounsfield, index_volume()) and volume.spacing == SPACING
    refused(path, "no usable spacing (0.75, nan, 3 mm", calibration=Calibration(1.0, 0.0, (3.0, float("nan"), 0.75)))
    refused(path, "rescale slope is 0", calibration=Calibration(0.0, 0.0, SPACING))
    save_series(tmp_path / "series", index_volume())
    refused(tmp_path / "series", "Only NIfTI", calibration=Calibration(1.0, 0.0, SPACING))


def test_a_calibration_of_what_is_calibrated_is_refused(tmp_path):
    """A renamed folder of CT-RATE's second version, beside the tables of the first."""
    lung = np.full((8, 8, 8), -800, np.int16)
    lung[:4] = 40
    path = save_nifti(tmp_path / "a.nii.gz", lung, np.eye(4))
    refused(path, "Hounsfield units already", "version: fixed", calibration=Calibration(1.0, -1024.0, SPACING))


def test_lengths_may_be_in_metres_or_micrometres(tmp_path):
    for unit, factor in (("meter", 1e-3), ("micron", 1e3), ("mm", 1)):
        affine = np.diag([*[factor] * 3, 1.0]) @ ras_affine()
        image = nibabel.Nifti1Image(index_volume(), affine)
        image.header.set_xyzt_units(unit)
        nibabel.save(image, tmp_path / f"{unit}.nii")
        assert np.allclose(read_volume(tmp_path / f"{unit}.nii").spacing, SPACING)


def test_integers_stay_integers_only_where_that_is_exact():
    values = np.array([[[0, 40000]]], np.uint16)
    assert hounsfield(values).dtype == np.float32
    found = hounsfield(values, 1, -8192)
    assert found.dtype == np.int16 and found.ravel().tolist() == [-8192, 31808]
    assert hounsfield(values, 0.5).ravel().tolist() == [0, 20000]


@pytest.mark.real
def test_real_volumes(cxr_data):
    folder = cxr_data / "ct_totalsegmentator"
    for name in ("example_ct", "example_ct_sm", "chest_ct_cropped"):
        image = nibabel.load(folder / f"{name}.nii.gz")
        volume = read_volume(folder / f"{name}.nii.gz")
        # nibabel's own reorientation is the judge; its x and y point the other way.
        judge = nibabel.as_closest_canonical(image)
        expected = np.asarray(judge.dataobj)[::-1, ::-1].transpose(2, 1, 0)
        assert np.array_equal(volume.hounsfield, expected)
        assert np.allclose(volume.spacing, judge.header.get_zooms()[::-1])
        last = judge.affine @ [judge.shape[0] - 1, judge.shape[1] - 1, 0, 1]
        assert np.allclose(volume.origin, [last[2], -last[1], -last[0]], atol=1e-3)


@pytest.mark.real
def test_the_real_series_is_what_itk_reads(cxr_data):
    import itk

    folder = cxr_data / "ct_totalsegmentator" / "example_ct_dicom"
    volume = read_volume(folder)
    names = sorted(folder.iterdir(), reverse=True)  # this series runs from head to feet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slices = [itk.array_from_image(itk.imread(str(name), imageio=itk.GDCMImageIO.New()))[0] for name in names]
    assert np.array_equal(volume.hounsfield, np.stack(slices))
    assert np.allclose(volume.spacing, (2.0, 0.9765625, 0.9765625))
    assert np.allclose(volume.origin, (-804.5, -437.51171875, -249.51171875))
