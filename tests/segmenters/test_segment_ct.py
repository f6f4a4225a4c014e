"""Label maps of whole data sets: where they lie, what they are called, and what a reader makes of them."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from ct_files import index_volume, ras_affine, save_nifti
from script_main import script_main
from segment_standin import IDS, NAMES, octant, places_of

from common.phantom.ct import write_ct_rate, write_ratic
from common.readers import read
from common.readers.support.label_maps import LabelMaps
from common.records import Calibration, Record
from common.segmenters import totalsegmentator
from common.segmenters.output import Output
from common.segmenters.run import segment_all
from common.volumes import ABDOMEN, read_organs, read_volume
from common.volumes.label_names import label_names

SHAPE = (16, 20, 24)  # 48 x 25 x 18 mm: two voxels or more on either side of the middle at 3 x 1.5 x 1.5 mm


def run(root, out, *words):
    return script_main("segment_ct")([str(root), str(out), *map(str, words)])


def check(image, path, names=IDS):
    """Shape, affine and labels of a map, each voxel by its place; those at a border may be either."""
    volume, labels = nibabel.load(image), nibabel.load(path)
    assert labels.shape == volume.shape and labels.get_data_dtype() == np.uint8
    assert np.allclose(labels.affine, volume.affine, atol=1e-5)
    places = places_of(volume.shape, volume.affine)
    middle = nibabel.affines.apply_affine(volume.affine, (np.array(volume.shape) - 1) / 2)
    away = (np.abs(places - middle) > (0.8, 0.8, 1.6)).all(-1)
    found, given = np.asarray(labels.dataobj), label_names(path)
    assert away.mean() > 0.4
    organs = np.array([given.get(name, 0) for name in NAMES[:8]])
    assert np.array_equal(found[away], organs[octant(places, middle)][away])
    assert set(given) == set(names)


def oblique(shape):
    affine = ras_affine()
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
    return index_volume(shape), turn @ affine


def test_maps_lie_on_the_voxels_of_their_files(tmp_path, standin):
    root = tmp_path / "data"
    save_nifti(root / "a" / "straight.nii.gz", index_volume(SHAPE))
    flipped = ras_affine()
    flipped[:, 3] += (SHAPE[2] - 1) * flipped[:, 2]
    flipped[:, 2] *= -1
    save_nifti(root / "b" / "flipped.nii", index_volume(SHAPE)[:, :, ::-1].transpose(1, 2, 0), flipped[:, [1, 2, 0, 3]])
    save_nifti(root / "oblique.nii.gz", *oblique(SHAPE))
    out = tmp_path / "masks"
    assert run(root, out) == 0
    for image in ("a/straight.nii.gz", "b/flipped.nii", "oblique.nii.gz"):
        check(root / image, out / f"{image.split('.')[0]}.nii.gz")
    assert len(standin.calls) == 3
    corpus = read("ct_folder", root, masks=str(out))
    assert len(corpus) == 3 and all(record.label_map for record in corpus.records)
    for record in corpus.records:
        organs = read_organs(record.label_map, NAMES[:8], read_volume(record.image))
        assert len(np.unique(organs)) >= 8


def test_totalsegmentator_gets_what_the_paper_says(tmp_path, standin):
    save_nifti(tmp_path / "data" / "a.nii.gz", (index_volume(SHAPE) * 3 - 1500).astype(np.int16))
    assert run(tmp_path / "data", tmp_path / "masks", "--device", "cpu") == 0
    (call,) = standin.calls
    assert [call[key] for key in ("output", "ml", "fast", "task", "device")] == [None, True, True, "total", "cpu"]
    image = call["image"]
    assert np.allclose(image.header.get_zooms(), (1.5, 1.5, 3.0)) and nibabel.aff2axcodes(image.affine) == tuple("LPS")
    values = np.asarray(image.dataobj)
    assert (values.min(), values.max()) == (-1000, 1000)
    ends = [
        nibabel.affines.apply_affine(each.affine, np.array(each.shape) / 2 - 0.5)
        for each in (image, nibabel.load(tmp_path / "data" / "a.nii.gz"))
    ]
    assert np.allclose(*ends)
    stated = json.loads((tmp_path / "masks" / "segment_ct.json").read_text())
    assert (stated["version"], stated["structures"][0], stated["clip"]) == ("9.9", "liver", [-1000, 1000])


def test_structures_by_name_and_bowel_joined(tmp_path, standin):
    save_nifti(tmp_path / "data" / "a.nii.gz", index_volume(SHAPE))
    for name, words in (("all", ()), ("five", ("--structures", "abdomen")), ("two", ("--structures", "heart,liver"))):
        assert run(tmp_path / "data", tmp_path / name, *words) == 0
    found = {name: nibabel.load(tmp_path / name / "a.nii.gz") for name in ("all", "five", "two")}
    assert label_names(tmp_path / "five" / "a.nii.gz") == {name: i for i, name in enumerate(ABDOMEN, 1)}
    assert label_names(tmp_path / "two" / "a.nii.gz") == {"heart": 1, "liver": 2}
    volume = read_volume(tmp_path / "data" / "a.nii.gz")
    wanted = read_organs(tmp_path / "all" / "a.nii.gz", ABDOMEN, volume)
    assert np.array_equal(read_organs(tmp_path / "five" / "a.nii.gz", ABDOMEN, volume), wanted)
    assert set(np.unique(wanted)) == {0, 1, 2, 3, 4, 5} and np.asarray(found["five"].dataobj).max() == 5


def test_ratic_and_ct_rate_find_every_map_inside_their_own_folder(tmp_path, standin):
    ratic = write_ratic(tmp_path / "ratic", 1, size=48, thickness=10.0, seed=3)
    for _ in range(2):
        assert run(ratic, ratic / "organs", "--dataset", "ratic", "--structures", "liver,spleen") == 0
    corpus = read("ratic", ratic, masks="organs")
    assert len(corpus) == 2 and len(standin.calls) == len(corpus) and all(record.label_map for record in corpus.records)
    for record in corpus.records:
        patient, series = record.image.split("/")[-2:]
        assert record.label_map == str(ratic / "organs" / patient / f"{series}.nii.gz")
        assert read_organs(record.label_map, ("liver", "spleen"), read_volume(record.image)).any()
    standin.calls.clear()
    rate = write_ct_rate(tmp_path / "rate", 2, size=48, thickness=10.0, seed=3)
    for _ in range(2):
        assert run(rate, rate / "masks", "--dataset", "ct_rate", "--structures", "liver,spleen") == 0
    corpus = read("ct_rate", rate, masks="masks")
    assert len(standin.calls) == len(corpus) == 2
    for record in corpus.records:
        assert record.label_map.startswith(str(rate / "masks")) and "masks" not in record.image
        check(record.image, Path(record.label_map), ("liver", "spleen"))


def test_raw_ct_rate_and_rad_chestct_lie_where_their_readers_put_them(tmp_path, standin):
    root = tmp_path / "data"
    root.mkdir()
    np.savez(root / "trn00001.npz", ct=index_volume(SHAPE))
    save_nifti(root / "train_1_a_1.nii.gz", index_volume(SHAPE).transpose(2, 1, 0), np.eye(4))
    records = [
        Record(str(root / "trn00001.npz"), "p", "train", "toy"),
        Record(str(root / "train_1_a_1.nii.gz"), "q", "train", "toy", calibration=Calibration(1, 0, (3.0, 1.5, 1.0))),
    ]
    output, segmenter = Output(tmp_path / "masks", root), totalsegmentator.TotalSegmentator("cpu")
    assert segment_all(records, output, segmenter, NAMES, progress=False).made == 2
    maps = LabelMaps(tmp_path / "masks", root, [Path(record.image) for record in records])
    for record in records:
        volume = read_volume(record.image, record.calibration)
        found = read_organs(maps.find(Path(record.image)), ["liver"], volume)
        # The first octant: where the axes to the right, front and head are all below their middle.
        side = np.argwhere(found).mean(0) > (np.array(SHAPE) - 1) / 2
        assert side.tolist() == [False, True, True] and 0.05 < found.mean() < 0.2


@pytest.mark.real
def test_real_volumes_and_a_series(tmp_path, standin, cxr_data):
    root = tmp_path / "data"
    root.mkdir()
    for name in ("example_ct_dicom", "example_ct_sm.nii.gz", "example_ct.nii.gz"):
        (root / name).symlink_to(cxr_data / "ct_totalsegmentator" / name)
    assert run(root, tmp_path / "masks") == 0
    for name in ("example_ct_sm.nii.gz", "example_ct.nii.gz"):
        check(root / name, tmp_path / "masks" / name)
    published = nibabel.load(cxr_data / "ct_totalsegmentator" / "example_seg_dicom.nii.gz")
    made = nibabel.load(tmp_path / "masks" / "example_ct_dicom.nii.gz")
    one, other = (nibabel.as_closest_canonical(image) for image in (published, made))
    assert one.shape == other.shape and np.allclose(one.affine, other.affine, atol=1e-2)
    assert all(record.label_map for record in read("ct_folder", root, masks=str(tmp_path / "masks")).records)
