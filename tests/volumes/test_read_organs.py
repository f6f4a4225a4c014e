import json

import nibabel
import numpy as np
import pytest
from ct_files import index_volume, label_extension, ras_affine, save_nifti

from common.files import UnreadableImage
from common.volumes import read_organs, read_volume
from common.volumes.structures import ABDOMEN, CHEST, COMPOSITE, TABLES

SHAPE = (6, 7, 8)


@pytest.fixture
def volume(tmp_path):
    return read_volume(save_nifti(tmp_path / "ct.nii.gz", index_volume(SHAPE)))


@pytest.fixture
def labels():
    shuffled = np.random.default_rng(0).permutation(int(np.prod(SHAPE))) % 118
    return shuffled.reshape(SHAPE).astype(np.uint8)


def expected(labels, names, structures):
    """Voxel by voxel, by name."""
    named = {number: name for name, number in names.items()}
    result = np.zeros(labels.shape, np.uint8)
    for place, number in np.ndenumerate(labels):
        for position, structure in enumerate(structures, 1):
            if number and named.get(int(number)) in (structure, *COMPOSITE.get(structure, ())):
                result[place] = position
    return result


@pytest.mark.parametrize("table", ["v1", "v2"])
@pytest.mark.parametrize("structures", [CHEST, ABDOMEN, ("heart", "bowel", "rib_left_3")])
def test_structures_are_chosen_by_name_in_both_versions(tmp_path, volume, labels, table, structures):
    labels = np.where(labels > len(TABLES[table]), 0, labels).astype(np.uint8)
    path = save_nifti(tmp_path / "m.nii.gz", labels)
    found = read_organs(path, structures, volume, label_table=table)
    assert found.dtype == np.uint8 and np.array_equal(found, expected(labels, TABLES[table], structures))
    assert set(np.unique(found)) == set(range(len(structures) + 1))


def test_the_two_tables_are_the_publishers():
    assert (len(TABLES["v1"]), len(TABLES["v2"])) == (104, 117)
    facts = {"v2": {"liver": 5, "lung_lower_lobe_right": 14, "heart": 51, "colon": 20, "costal_cartilages": 117}}
    facts["v1"] = {"liver": 5, "lung_lower_lobe_right": 17, "heart_myocardium": 44, "colon": 57, "urinary_bladder": 104}
    for table, ids in facts.items():
        assert ids.items() <= TABLES[table].items()


def test_the_header_comes_before_sidecars_and_those_before_a_table(tmp_path, volume):
    labels = np.zeros(SHAPE, np.uint8)
    labels[0] = 1
    path = save_nifti(tmp_path / "m.nii.gz", labels)

    def liver():
        return int(read_organs(path, ["liver"], volume, label_table="v2").sum())

    assert liver() == 0  # 1 is the spleen in the table
    (tmp_path / "labels.json").write_text(json.dumps({"liver": 1}))
    assert liver() == 56
    (tmp_path / "m.json").write_text(json.dumps({"spleen": 1, "liver": 2}))
    assert liver() == 0
    (tmp_path / "m.nii.gz.json").write_text(json.dumps({"liver": 1}))
    assert liver() == 56
    save_nifti(path, labels, header=[label_extension({"heart": 1, "liver": 3})])
    assert liver() == 0
    save_nifti(path, labels, header=[label_extension({"heart": 3, "liver": 1})])
    assert liver() == 56


def test_another_orientation_of_the_same_grid_is_the_same_grid(tmp_path, volume, labels):
    straight = save_nifti(tmp_path / "a.nii.gz", labels)
    turned = labels[::-1].transpose(2, 0, 1)
    affine = ras_affine()
    affine[:, 3] += (SHAPE[0] - 1) * affine[:, 0]
    affine[:, 0] *= -1
    other = save_nifti(tmp_path / "b.nii.gz", turned, affine[:, [2, 0, 1, 3]])
    found = [read_organs(path, CHEST, volume, label_table="v2") for path in (straight, other)]
    assert np.array_equal(*found) and found[0].any()


def refused(path, volume, *fragments, structures=("liver",), table="v2"):
    with pytest.raises(UnreadableImage) as error:
        read_organs(path, structures, volume, table)
    for fragment in (str(path), *fragments):
        assert fragment in str(error.value), str(error.value)


def test_another_shape_or_affine_names_both_grids(tmp_path, volume, labels):
    path = save_nifti(tmp_path / "m.nii.gz", labels[:-1])
    refused(path, volume, "5 x 7 x 8 voxels", "6 x 7 x 8 voxels")
    moved = ras_affine()
    moved[0, 3] += 0.5
    refused(save_nifti(path, labels, moved), volume, "from (-700, -120, -91) mm", "from (-700, -120, -90.5) mm")
    wider = ras_affine((3.0, 1.25, 0.8))
    refused(save_nifti(path, labels, wider), volume, "(3, 1.25, 0.8) mm", "(3, 1.25, 0.75) mm")
    mirrored = ras_affine()
    mirrored[:, 2] *= -1
    refused(save_nifti(path, labels, mirrored), volume, "voxels")


def test_unknown_names_and_values(tmp_path, volume, labels):
    path = save_nifti(tmp_path / "m.nii.gz", labels)
    refused(path, volume, "no structure 'livre'", "Did you mean 'liver'", structures=["livre"])
    refused(path, volume, "value 105 has no name", "104 are named", table="v1")
    refused(path, volume, "nothing names its labels", "labels.json", table=None)
    refused(path, volume, "label_table is 'v3'", table="v3")
    (tmp_path / "m.json").write_text(json.dumps({"liver": 1, "stomach": 2, "colon": 3}))
    small = save_nifti(path, (labels % 4).astype(np.uint8))
    refused(small, volume, "it lacks esophagus, duodenum, small_bowel", structures=["bowel"])
    (tmp_path / "m.json").write_text('{"liver": 1, "spleen": 1}')
    refused(path, volume, "m.json", "occurs twice")
    (tmp_path / "m.json").write_text("[1]")
    refused(path, volume, "no table of label names")
    refused(tmp_path / "nowhere.nii.gz", volume, "no such file")
    with pytest.raises(ValueError, match="different ones"):
        read_organs(path, ["liver", "liver"], volume)


def test_what_is_no_label_map(tmp_path, volume):
    refused(save_nifti(tmp_path / "ct2.nii.gz", index_volume(SHAPE) - 200), volume, "from -200 to")
    refused(save_nifti(tmp_path / "half.nii.gz", np.full(SHAPE, 0.5, np.float32)), volume, "no integers")
    whole = save_nifti(tmp_path / "float.nii.gz", np.full(SHAPE, 5.0, np.float32))
    assert read_organs(whole, ["liver"], volume, "v2").all()
    cut = save_nifti(tmp_path / "cut.nii.gz", np.ones(SHAPE, np.uint8))
    cut.write_bytes(cut.read_bytes()[:-15])
    refused(cut, volume, "gzip data are cut or corrupt")
    damaged = nibabel.nifti1.Nifti1Extension(0, b"<CaretExtension><LabelTable><Label")
    refused(save_nifti(tmp_path / "x.nii.gz", np.ones(SHAPE, np.uint8), header=[damaged]), volume, "label table")


@pytest.mark.real
def test_real_label_maps_name_their_organs(cxr_data):
    folder = cxr_data / "ct_totalsegmentator"
    volume = read_volume(folder / "example_ct_sm.nii.gz")
    found = read_organs(folder / "example_seg.nii.gz", ("liver", "lung_lower_lobe_left", "heart"), volume)
    raw = np.asarray(nibabel.load(folder / "example_seg.nii.gz").dataobj)[::-1, ::-1].transpose(2, 1, 0)
    for number, identity in enumerate((5, 11, 51), start=1):
        assert np.array_equal(found == number, raw == identity)
    whole = read_volume(folder / "example_ct.nii.gz")
    chest = read_organs(folder / "example_seg_fast_force_split.nii.gz", CHEST, whole)
    assert {1, 2, 5} <= set(np.unique(chest))
    # The patient's left is where W grows, and lungs are dark.
    left, right = (np.argwhere(np.isin(chest, lobes))[:, 2].mean() for lobes in ((1, 2), (3, 4, 5)))
    assert left > right
    assert np.median(whole.hounsfield[np.isin(chest, (1, 2, 3, 4, 5))]) < -500
    refused(folder / "example_seg.nii.gz", whole, "112 x 101 x 122", "30 x 101 x 122", table=None)


@pytest.mark.real
def test_the_series_and_its_label_map_are_on_one_grid(cxr_data):
    folder = cxr_data / "ct_totalsegmentator"
    series = read_volume(folder / "example_ct_dicom")
    organs = read_organs(folder / "example_seg_dicom.nii.gz", ABDOMEN, series)
    assert organs.shape == series.hounsfield.shape and len(np.unique(organs)) > 1
    assert 0 < np.median(series.hounsfield[organs > 0]) < 200
