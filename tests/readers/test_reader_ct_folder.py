from pathlib import Path

import itk
import numpy as np
import pytest
from ct_files import index_volume, save_nifti, save_series

from common.files import DatasetError
from common.readers import find_reader, read, reader_modules
from common.volumes import read_volume

ROOT = Path(__file__).parents[2]


def write(root):
    save_nifti(root / "p1" / "a.nii.gz", index_volume())
    save_nifti(root / "p2" / "b.nii", index_volume())
    save_series(root / "p3" / "series.7", index_volume())
    for path in (root / "p3" / "series.7").iterdir():
        path.rename(path.with_suffix(""))  # archives name slices by their UID
    image = itk.image_from_array(index_volume())
    for name in ("c.mha", "d.nrrd"):
        (root / "p4").mkdir(exist_ok=True)
        itk.imwrite(image, str(root / "p4" / name))
    (root / "labels.csv").write_text("image,nodule,who\na,1,x\np2/b.nii,0,y\nseries.7,1,z\nc.mha,-1,z\nd,0,y\n")
    return root


def names(corpus):
    return [Path(record.image).name for record in corpus.records]


def test_every_kind_of_volume_is_found_and_read(tmp_path):
    corpus = read("ct_folder", write(tmp_path / "ct"))
    assert names(corpus) == ["a.nii.gz", "b.nii", "series.7", "c.mha", "d.nrrd"]
    for record in corpus.records:
        assert np.array_equal(read_volume(record.image).hounsfield, index_volume())
    assert {record.split for record in corpus.records} == {"train", "val", "test"}


def test_labels_patients_and_masks(tmp_path):
    root = write(tmp_path / "ct")
    save_nifti(root / "organs" / "p1" / "a.nii.gz", np.ones((4, 5, 6), np.uint8))
    save_nifti(root / "organs" / "series.7.nii.gz", np.ones((4, 5, 6), np.uint8))
    options = {"labels_csv": "labels.csv", "label_columns": ["nodule"], "patient_column": "who"}
    corpus = read("ct_folder", root, masks="organs", **options)
    assert names(corpus) == ["a.nii.gz", "b.nii", "series.7", "c.mha", "d.nrrd"]
    labels = [record.labels[0] for record in corpus.records]
    assert labels[:3] == [1, 0, 1] and np.isnan(labels[3]) and labels[4] == 0
    assert [record.patient_id for record in corpus.records] == ["x", "y", "z", "z", "y"]
    assert [record.label_map is not None for record in corpus.records] == [True, False, True, False, False]
    assert corpus.structures == () and corpus.findings == ("nodule",)
    assert "3 volumes have no label map" in "\n".join(corpus.notices)


def test_two_volumes_of_one_name_have_masks_by_their_folders(tmp_path):
    for patient in ("p1", "p2"):
        save_nifti(tmp_path / "ct" / patient / "CT.nii.gz", index_volume())
        save_nifti(tmp_path / "masks" / patient / "CT.nii.gz", np.ones((4, 5, 6), np.uint8))
    corpus = read("ct_folder", tmp_path / "ct", masks=str(tmp_path / "masks"))
    for record in corpus.records:
        assert Path(record.label_map).parent.name == Path(record.image).parent.name
    (tmp_path / "masks" / "p2" / "CT.nii.gz").unlink()  # segmentation was interrupted
    first, second = read("ct_folder", tmp_path / "ct", masks=str(tmp_path / "masks")).records
    assert "p1" in first.label_map and second.label_map is None, "another patient's"


def test_what_does_not_fit(tmp_path):
    (tmp_path / "ct").mkdir()
    with pytest.raises(DatasetError, match="no volume in it"):
        read("ct_folder", tmp_path / "ct")
    with pytest.raises(DatasetError, match="without class_column"):
        read("ct_folder", tmp_path / "ct", classes=["a"])
    write(tmp_path / "ct")
    (tmp_path / "ct" / "labels.csv").write_text("image,nodule\nz,1\n")
    with pytest.raises(DatasetError, match="none of its images"):
        read("ct_folder", tmp_path / "ct", labels_csv="labels.csv", label_columns=["nodule"])


def test_a_series_alone_is_a_folder_of_one_volume(tmp_path):
    save_series(tmp_path / "series", index_volume())
    corpus = read("ct_folder", tmp_path / "series")
    assert [record.image for record in corpus.records] == [str(tmp_path / "series")]


def test_the_readers_of_ct_say_so():
    volumes = {name for name in reader_modules() if find_reader(name).publication.volumes}
    assert volumes == {"ct_rate", "rad_chestct", "ratic", "ct_folder"}


def test_check_data_reads_volumes(tmp_path, python):
    root = write(tmp_path / "ct")
    cut = root / "p1" / "cut.nii.gz"
    cut.write_bytes((root / "p1" / "a.nii.gz").read_bytes()[:-9])
    save_nifti(root / "organs" / "b.nii.gz", np.ones((4, 5, 5), np.uint8))
    (next((root / "p3" / "series.7").glob("*-1"))).unlink()
    options = ["--option", "masks=organs", "--workers", "1"]
    done = python(ROOT / "scripts" / "check_data.py", "ct_folder", root, *options)
    assert done.returncode == 1, done.stderr
    assert "Sizes: 4 x 5 x 6 (4)" in done.stdout
    assert "cut.nii.gz: its gzip data are cut or corrupt" in done.stdout
    assert "series.7: about 1 slices are missing" in done.stdout
    assert "b.nii.gz: the label map has 4 x 5 x 5 voxels" in done.stdout


@pytest.mark.real
def test_the_real_folder(cxr_data):
    corpus = read("ct_folder", cxr_data / "ct_totalsegmentator", val_fraction=0)
    assert "example_ct_dicom" in names(corpus) and "chest_ct_cropped.nii.gz" in names(corpus)
