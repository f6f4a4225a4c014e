"""MetaImage and NRRD written line by line, against the places and values that the lines state."""

import bz2
import gzip
import shutil
import warnings
import zlib

import numpy as np
import pytest
from ct_files import SPACING, index_volume, save_nifti

from common.files import UnreadableImage
from common.volumes import read_organs, read_volume
from common.volumes.label_names import label_names

VALUES = index_volume() - 100
DEPTH, HEIGHT, WIDTH = VALUES.shape
DZ, DY, DX = SPACING
ORIGIN = (-30.0, -20.0, -10.0)


def metaimage(path, data=None, **changes):
    """One LPS volume; a change of None leaves a line out."""
    fields = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "CompressedData": False,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "-10 -20 -30",
        "ElementSpacing": f"{DX} {DY} {DZ}",
        "DimSize": f"{WIDTH} {HEIGHT} {DEPTH}",
        "ElementType": "MET_SHORT",
    } | changes
    lines = [f"{name} = {value}\n" for name, value in fields.items() if value is not None]
    data = VALUES.astype("<i2").tobytes() if data is None else data
    path.write_bytes("".join([*lines, "ElementDataFile = LOCAL\n"]).encode() + data)
    return path


def nrrd(path, data=None, pairs=(), **changes):
    fields = {
        "type": "short",
        "dimension": 3,
        "space": "left-posterior-superior",
        "sizes": f"{WIDTH} {HEIGHT} {DEPTH}",
        "space directions": f"({DX},0,0) (0,{DY},0) (0,0,{DZ})",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(-10,-20,-30)",
    } | {name.replace("_", " "): value for name, value in changes.items()}
    lines = [f"{name}: {value}\n" for name, value in fields.items() if value is not None]
    lines += [f"{key}:={value}\n" for key, value in pairs]
    data = VALUES.astype("<i2").tobytes() if data is None else data
    path.write_bytes("".join(["NRRD0005\n# a comment: with a colon\n", *lines, "\n"]).encode() + data)
    return path


def check(path, values=VALUES, origin=ORIGIN):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        volume = read_volume(path)
    assert np.array_equal(volume.hounsfield, values)
    assert np.allclose(volume.spacing, SPACING) and np.allclose(volume.origin, origin)


def refused(path, *fragments):
    with pytest.raises(UnreadableImage) as error:
        read_volume(path)
    for fragment in (str(path), *fragments):
        assert fragment in str(error.value), str(error.value)


@pytest.mark.parametrize("write", [metaimage, nrrd])
@pytest.mark.parametrize("name", ["A.MHA", "A.NRRD", "bare", "ct.nii.gz", "ct.dcm"])
def test_the_content_decides_and_not_the_name(tmp_path, write, name):
    check(write(tmp_path / name))


@pytest.mark.parametrize("names", [("A.MHD", "A.RAW"), ("head", "data")])
def test_a_detached_header_of_any_name(tmp_path, names):
    whole = metaimage(tmp_path / "a.mha").read_bytes()
    head, _, data = whole.partition(b"LOCAL\n")
    (tmp_path / names[0]).write_bytes(head + names[1].encode() + b"\n")
    (tmp_path / names[1]).write_bytes(data)
    check(tmp_path / names[0])
    head, _, data = nrrd(tmp_path / "a.nrrd").read_bytes().partition(b"\n\n")
    (tmp_path / names[0]).write_bytes(head + b"\ndata file: " + names[1].encode() + b"\n\n")
    check(tmp_path / names[0])


@pytest.mark.parametrize("name", ["Orientation", "Rotation"])
@pytest.mark.parametrize("place", ["Position", "Origin"])
def test_metaimages_other_names_of_matrix_and_place(tmp_path, name, place):
    """Its matrix lists the axes' directions one after the other: x towards the front, y towards the left."""
    turned = {"TransformMatrix": None, "Offset": None, name: "0 -1 0 1 0 0 0 0 1", place: "-10 -20 -30"}
    turned |= {"ElementSpacing": f"{DY} {DX} {DZ}", "DimSize": f"{HEIGHT} {WIDTH} {DEPTH}"}
    array = VALUES.transpose(0, 2, 1)[:, :, ::-1]
    check(
        metaimage(tmp_path / "a.mha", array.astype("<i2").tobytes(), **turned),
        origin=(-30, -20 - DY * (HEIGHT - 1), -10),
    )
    refused(metaimage(tmp_path / "b.mha", **{place: "0 0 0"}), f"Offset and {place}, which differ")
    check(metaimage(tmp_path / "b.mha", **{place: "-10 -20 -30.0"}))


def test_metaimages_field_names_mind_the_case_as_itk_does(tmp_path):
    refused(metaimage(tmp_path / "a.mha", ElementSpacing=None, elementspacing="1 2 5"), "no spacing")
    refused(metaimage(tmp_path / "a.mha", TransformMatrix=None, transformmatrix="1 0 0 0 1 0 0 0 1"), "no orientation")


@pytest.mark.parametrize(("slope", "offset"), [(1, -1024), (2, -1024), (0.5, -500)])
def test_metaimages_scaling_of_values(tmp_path, slope, offset):
    stored = np.rint((VALUES - offset) / slope).astype("<u2")
    scaling = {"ElementToIntensityFunctionSlope": slope, "ElementToIntensityFunctionOffset": offset}
    path = metaimage(tmp_path / "a.mha", stored.tobytes(), ElementType="MET_USHORT", **scaling)
    check(path, stored.astype(np.float64) * slope + offset)


def test_metaimage_compressed_in_the_other_byte_order_and_in_other_units(tmp_path):
    data = zlib.compress(VALUES.astype("<i2").tobytes())
    check(metaimage(tmp_path / "a.mha", data, CompressedData=True, CompressedDataSize=len(data)))
    check(metaimage(tmp_path / "a.mha", VALUES.astype(">i2").tobytes(), BinaryDataByteOrderMSB=True))
    changes = {"DistanceUnits": "cm", "ElementSpacing": f"{DX / 10} {DY / 10} {DZ / 10}", "Offset": "-1 -2 -3"}
    check(metaimage(tmp_path / "a.mha", **changes))
    with pytest.warns(UserWarning, match="unit of length is 'inch'"):
        read_volume(metaimage(tmp_path / "a.mha", DistanceUnits="inch"))


def test_metaimages_letters_against_its_matrix_are_said(tmp_path):
    for letters in ("RAI", "???"):
        check(metaimage(tmp_path / "a.mha", AnatomicalOrientation=letters))
    with pytest.warns(UserWarning, match="AnatomicalOrientation is LAI and its matrix says RAI"):
        read_volume(metaimage(tmp_path / "a.mha", AnatomicalOrientation="LAI"))


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        *[(space, (1, 1)) for space in ("left-posterior-superior", "LPS", "Left-Posterior-Superior")],
        *[(space, (-1, -1)) for space in ("right-anterior-superior", "RAS")],
        *[(space, (1, -1)) for space in ("left-anterior-superior", "LAS")],
    ],
)
def test_nrrds_spaces_of_a_patient(tmp_path, space, signs):
    """The same patient in each: directions and origin change their signs where the space turns an axis."""
    x, y = signs
    directions = f"({x * DX},0,0) (0,{y * DY},0) (0,0,{DZ})"
    check(
        nrrd(tmp_path / "a.nrrd", space=space, space_directions=directions, space_origin=f"({-10 * x},{-20 * y},-30)")
    )


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed", "scanner-xyz-time", "RPS"])
def test_nrrds_spaces_without_a_patient_are_refused(tmp_path, space):
    refused(nrrd(tmp_path / "a.nrrd", space=space), f"space is '{space}'", "left from right")


def test_nrrd_without_space_or_directions_is_refused(tmp_path):
    refused(nrrd(tmp_path / "a.nrrd", space=None, space_dimension=3), "no orientation ('space')")
    refused(nrrd(tmp_path / "a.nrrd", space_directions=None, spacings="1 1 1"), "no spacing ('space directions')")


def test_nrrds_units_of_length(tmp_path):
    for unit, size in (("mm", 1.0), ("cm", 10.0), ("um", 0.001), ("m", 1000.0)):
        directions = f"({DX / size},0,0) (0,{DY / size},0) (0,0,{DZ / size})"
        origin = f"({-10 / size},{-20 / size},{-30 / size})"
        units = " ".join([f'"{unit}"'] * 3)
        check(nrrd(tmp_path / "a.nrrd", space_directions=directions, space_origin=origin, space_units=units))
    with pytest.warns(UserWarning, match="unit of length is 'furlong'"):
        read_volume(nrrd(tmp_path / "a.nrrd", space_units='"furlong" "furlong" "furlong"'))


def test_a_unit_in_which_no_person_is_scanned_is_said(tmp_path):
    """Numbers in millimetres beside another unit."""
    with pytest.warns(UserWarning, match=r"a\.nrrd: its voxels have .*\(\"um\" \"um\" \"um\"\)"):
        read_volume(nrrd(tmp_path / "a.nrrd", space_units='"um" "um" "um"'))
    with pytest.warns(UserWarning, match=r"a\.mha: its voxels have .*\(m\)"):
        read_volume(metaimage(tmp_path / "a.mha", DistanceUnits="m"))
    with pytest.warns(UserWarning, match=r"a\.mha: its voxels have .*\(none, taken for mm\)"):
        read_volume(metaimage(tmp_path / "a.mha", ElementSpacing="0.001 0.001 0.005"))


def test_nrrds_encodings_and_what_does_not_matter(tmp_path):
    data = VALUES.astype("<i2").tobytes()
    check(nrrd(tmp_path / "a.nrrd", gzip.compress(data), encoding="gzip"))
    check(nrrd(tmp_path / "a.nrrd", data.hex().encode(), encoding="hex"))
    check(nrrd(tmp_path / "a.nrrd", " ".join(map(str, VALUES.ravel())).encode(), encoding="ascii"))
    check(nrrd(tmp_path / "a.nrrd", VALUES.astype(">i2").tobytes(), endian="big"))
    check(nrrd(tmp_path / "a.nrrd", measurement_frame="(0,1,0) (1,0,0) (0,0,1)"))  # of vectors, and these are none
    refused(nrrd(tmp_path / "a.nrrd", bz2.compress(data), encoding="bzip2"), "bzip2", "gzip or raw")


def test_headers_that_declare_more_than_there_is(tmp_path):
    sides = "1000 1000 1000"
    for path in (
        metaimage(tmp_path / "a.mha", DimSize=sides),
        nrrd(tmp_path / "a.nrrd", sizes=sides),
        metaimage(tmp_path / "b.mha", zlib.compress(bytes(500)), DimSize=sides, CompressedData=True),
        nrrd(tmp_path / "b.nrrd", gzip.compress(bytes(500)), sizes=sides, encoding="gzip"),
    ):
        refused(path, "its header declares 2,000,000,000 bytes")
    cut = metaimage(tmp_path / "c.mha")
    cut.write_bytes(cut.read_bytes()[:-1])
    refused(cut, "declares 240 bytes of voxels, and 239 bytes")


def segments(*names):
    for number, (name, value) in enumerate(names):
        yield from ((f"Segment{number}_ID", f"s{number}"), (f"Segment{number}_Name", name))
        yield from ((f"Segment{number}_LabelValue", value), (f"Segment{number}_Layer", 0))


def test_slicers_segments_name_a_label_map_whatever_its_suffix(tmp_path):
    labels = np.indices(VALUES.shape)[0].astype(np.uint8)
    about = {"type": "unsigned char", "endian": None}
    path = nrrd(tmp_path / "m.seg.nrrd", labels.tobytes(), segments(("liver", 3), ("spleen", 1), ("colon", 2)), **about)
    shutil.copy(path, tmp_path / "m.nii.gz")
    volume = read_volume(nrrd(tmp_path / "ct.nrrd"))
    for name in (path.name, "m.nii.gz"):
        assert label_names(tmp_path / name) == {"liver": 3, "spleen": 1, "colon": 2}
        assert np.array_equal(read_organs(tmp_path / name, ["liver"], volume), labels == 3)
        refused(tmp_path / name, "it is a label map")
    twice = nrrd(tmp_path / "t.nrrd", labels.tobytes(), segments(("liver", 1), ("spleen", 1)), **about)
    with pytest.raises(UnreadableImage, match="occurs twice"):
        read_organs(twice, ["liver"], volume)
    many = [(f"structure {number}", number) for number in range(1, 255)]  # a header of more than 4 KiB
    assert len(label_names(nrrd(tmp_path / "many.nrrd", labels.tobytes(), segments(*many), **about))) == 254


def test_the_names_in_a_nifti_header_count_whatever_its_suffix(tmp_path):
    from ct_files import label_extension

    path = save_nifti(tmp_path / "m.nii.gz", np.ones((4, 5, 6), np.uint8), header=[label_extension({"liver": 1})])
    for name, content in {
        "m.NII.GZ": path.read_bytes(),
        "m": path.read_bytes(),
        "n.nii.gz": gzip.decompress(path.read_bytes()),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert label_names(tmp_path / name) == {"liver": 1}
