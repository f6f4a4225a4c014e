import numpy as np
import pytest
from ct_files import SPACING, index_volume, label_extension, save_nifti

from common.files import DatasetError
from common.readers import read
from common.readers.ct.ct_rate import FINDINGS, UNUSABLE
from common.records import Calibration
from common.volumes import read_organs, read_volume

# Several reconstructions, a second scan, and a patient number beyond 9, which sorts wrongly as text.
NAMES = [
    *(f"train_{n}" for n in ("1_a_1", "1_a_2", "1_b_1", "2_a_1", "10_a_1", "11755_a_3")),
    "valid_1_a_1",
    "valid_2_a_1",
]
META = "VolumeName,PatientSex,RescaleIntercept,RescaleSlope,XYSpacing,ZSpacing,ImageOrientationPatient\n"


def labels_of(name):
    """Those of the scan, as the publisher has them."""
    generator = np.random.default_rng([ord(letter) for letter in name.rpartition("_")[0]])
    return generator.integers(0, 2, len(FINDINGS)).tolist()


def place(root, name, version="_fixed"):
    split, patient, scan, _ = name.split("_")
    return root / f"{split}{version}" / f"{split}_{patient}" / f"{split}_{patient}_{scan}" / f"{name}.nii.gz"


def write(root, version="_fixed", masks=True):
    root = root / "dataset"
    for name in NAMES:
        if version:
            save_nifti(place(root, name), index_volume())
            if masks:
                organs = (index_volume() % 7 == 0).astype(np.uint8)
                target = place(root / "ts_seg" / "ts_total", name)
                save_nifti(target, organs, header=[label_extension({"heart": 1})])
        else:
            save_nifti(place(root, name, ""), (index_volume().transpose(2, 1, 0) + 8192).astype(np.int16), np.eye(4))
    for folder in ("metadata", "multi_abnormality_labels"):
        (root / folder).mkdir()
    for split, table in (("train", "train"), ("valid", "validation")):
        chosen = [name for name in NAMES if name.startswith(split)]
        rows = [f"{name}.nii.gz,{','.join(map(str, labels_of(name)))}\n" for name in chosen]
        header = "VolumeName," + ",".join(FINDINGS) + "\n"
        (root / "multi_abnormality_labels" / f"{split}_predicted_labels.csv").write_text(header + "".join(rows))
        facts = f'-8192,1,"[{0.75}, {0.75}]",{SPACING[0]},"[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]"'
        rows = [f"{name}.nii.gz,M,{facts}\n" for name in chosen]
        (root / "metadata" / f"{table}_metadata.csv").write_text(META + "".join(rows))
        (root / "metadata" / f"no_chest_{split}.txt").write_text("x/y/valid_2_a_1.nii.gz\n" * (split == "valid"))
    return root


def names(corpus):
    return [record.image.split("/")[-1].removesuffix(".nii.gz") for record in corpus.records]


def test_patients_scans_splits_and_labels(tmp_path):
    root = write(tmp_path)
    corpus = read("ct_rate", root)
    assert names(corpus) == ["train_1_a_1", "train_1_a_2", "train_1_b_1", "train_2_a_1", "train_10_a_1", "valid_1_a_1"]
    for record, name in zip(corpus.records, names(corpus), strict=True):
        assert record.labels == tuple(map(float, labels_of(name)))
        assert record.study_id == name[:-2] and record.patient_id == name.rsplit("_", 2)[0]
        assert record.split == ("test" if name.startswith("valid") else "train")
        assert record.calibration is None and f"ts_total/{name.split('_')[0]}_fixed" in record.label_map
    assert corpus.structures == () and corpus.findings[0] == "Medical material"
    text = "\n".join(corpus.notices)
    assert "8 images here, 50,188 published" in text
    assert "1 volumes left out: no chest (valid_2_a_1)" in text
    assert "1 volumes left out: no distance between slices (train_11755_a_3)" in text
    assert len(FINDINGS) == 18 and "train_14384_a_2" in UNUSABLE
    volume = read_volume(corpus.records[0].image)
    assert read_organs(corpus.records[0].label_map, ["heart"], volume).sum() > 0


def test_one_reconstruction_per_scan_and_validation_by_patient(tmp_path):
    root = write(tmp_path)
    corpus = read("ct_rate", root, one_per_scan=True)
    assert names(corpus) == ["train_1_a_1", "train_1_b_1", "train_2_a_1", "train_10_a_1", "valid_1_a_1"]
    held = read("ct_rate", root, val_fraction=0.4)
    splits = {(record.patient_id, record.split) for record in held.records}
    assert len(splits) == 4 and sum(split == "val" for _, split in splits) == 1


def test_the_first_version_needs_its_table_and_the_second_must_not_have_it(tmp_path):
    root = write(tmp_path, version="")
    corpus = read("ct_rate", root)
    assert len(corpus) == 6 and not any(record.label_map for record in corpus.records)
    for record in corpus.records:
        assert record.calibration == Calibration(1.0, -8192.0, (SPACING[0], 0.75, 0.75))
    record = corpus.records[0]
    assert np.array_equal(read_volume(record.image, record.calibration).hounsfield, index_volume())
    fixed = read("ct_rate", root, version="fixed")
    assert all(record.calibration is None for record in fixed.records)
    assert fixed.fingerprint() != corpus.fingerprint()
    (root / "metadata" / "train_metadata.csv").unlink()
    assert "5 volumes left out: not in the metadata table" in "\n".join(read("ct_rate", root).notices)
    (root / "metadata" / "validation_metadata.csv").unlink()
    with pytest.raises(DatasetError, match=r"first version .* which are missing"):
        read("ct_rate", root)
    for name in NAMES[:3]:
        save_nifti(place(root, name), index_volume())
    with pytest.raises(DatasetError, match="first version"):
        read("ct_rate", root)


def test_where_both_versions_are_there_the_fixed_one_is_read(tmp_path):
    root = write(tmp_path)
    save_nifti(place(root, "train_2_a_1", ""), index_volume())
    corpus = read("ct_rate", root)
    assert all("_fixed" in record.image for record in corpus.records)
    assert "1 volumes are there in both versions; the fixed one is read" in "\n".join(corpus.notices)
    told = read("ct_rate", root, version="fixed")
    assert [record.image for record in told.records] == [record.image for record in corpus.records]
    raw = {record.study_id: record.image for record in read("ct_rate", root, version="raw").records}
    assert "_fixed" not in raw["train_2_a"] and "_fixed" in raw["train_1_a"], "of which there is one version only"


def test_raw_volumes_without_spacing_or_turned_are_left_out(tmp_path):
    root = write(tmp_path, version="")
    table = root / "metadata" / "train_metadata.csv"
    lines = table.read_text().splitlines()
    lines[1] = lines[1].replace(",3.0,", ",,")  # a blank is how the publisher writes not-a-number
    lines[2] = lines[2].replace("[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]", "[-1.0, 0.0, 0.0, 0.0, -1.0, 0.0]")
    table.write_text("\n".join(lines) + "\n")
    corpus = read("ct_rate", root)
    text = "\n".join(corpus.notices)
    assert names(corpus)[0] == "train_1_b_1"
    assert "no usable spacing in its metadata (train_1_a_1)" in text and "turned in the scanner" in text
    table.write_text("\n".join(lines).replace("[0.75, 0.75]", "0.75"))
    with pytest.raises(DatasetError, match="has the XYSpacing"):
        read("ct_rate", root)


def test_masks_of_ones_own_and_none(tmp_path):
    root = write(tmp_path, masks=False)
    assert not any(record.label_map or record.masks for record in read("ct_rate", root).records)
    save_nifti(root / "mine" / "train_2_a_1.nii.gz", np.ones((4, 5, 6), np.uint8))
    save_nifti(root / "mine" / "train_99_a_1.nii.gz", np.ones((4, 5, 6), np.uint8))
    corpus = read("ct_rate", root, masks="mine")
    assert [record.label_map is not None for record in corpus.records] == [False, False, False, True, False, False]
    text = "\n".join(corpus.notices)
    assert "1 label maps belong to no volume here (train_99_a_1.nii.gz)" in text
    assert "5 volumes have no label map" in text
    with pytest.raises(DatasetError, match="no such folder"):
        read("ct_rate", root, masks="yours")


def test_what_cannot_be_is_refused(tmp_path):
    root = write(tmp_path)
    with pytest.raises(DatasetError, match="version: the value is 'v2'"):
        read("ct_rate", root, version="v2")
    table = root / "multi_abnormality_labels" / "train_predicted_labels.csv"
    text = table.read_text()
    table.write_text(text.replace("Hiatal hernia", "Hernia"))
    with pytest.raises(DatasetError, match="no column 'Hiatal hernia'"):
        read("ct_rate", root)
    table.write_text(text[:-2] + "5\n")
    with pytest.raises(DatasetError, match="has the label '5'"):
        read("ct_rate", root)
    table.unlink()
    corpus = read("ct_rate", root)
    assert "train_predicted_labels.csv is missing" in "\n".join(corpus.notices)
    assert "5 volumes have no labels" in "\n".join(corpus.notices)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"named like train_1_a_1\.nii\.gz"):
        read("ct_rate", tmp_path / "empty")
