import numpy as np
import pytest
from ct_files import SPACING, index_volume, save_nifti, save_series

from common.files import DatasetError
from common.readers import read
from common.readers.ct.ratic import FINDINGS, TEST_SHARE
from common.volumes import read_organs, read_volume

HEADER = (
    "patient_id,bowel_healthy,bowel_injury,extravasation_healthy,extravasation_injury,kidney_healthy,kidney_low,"
    "kidney_high,liver_healthy,liver_low,liver_high,spleen_healthy,spleen_low,spleen_high,any_injury"
)
PATIENTS = [10004, 10005, 10007, 10026, 10051]


def row(patient):
    """Grades that follow from the number, in the publisher's order of columns."""
    bowel, extravasation, kidney, liver, spleen = (int(patient // 3**power) % 3 for power in range(5))
    values = [int(bowel != 1), int(bowel == 1), int(extravasation != 1), int(extravasation == 1)]
    for grade in (kidney, liver, spleen):
        values += [int(grade == number) for number in range(3)]
    return [*values, 0]


def write(root, table="train_2024.csv"):
    for number, patient in enumerate(PATIENTS):
        for series in range(1 + number % 2):
            values = (index_volume() * 3 - 200).astype(np.int16)
            folder = root / "train_images" / str(patient) / str(100 * patient + series)
            save_series(folder, (values & 0x0FFF).astype(np.int16), BitsStored=12, HighBit=11)
    lines = [HEADER, *(",".join(map(str, [patient, *row(patient)])) for patient in PATIENTS)]
    (root / table).write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("table", ["train_2024.csv", "train.csv"])
def test_series_studies_and_labels(tmp_path, table):
    corpus = read("ratic", write(tmp_path, table))
    assert len(corpus) == 7 and len(FINDINGS) == 11
    for record in corpus.records:
        patient, series = record.image.split("/")[-2:]
        assert record.patient_id == record.study_id == patient and series.startswith(patient)
        stated = dict(zip(HEADER.split(",")[1:], row(int(patient)), strict=True))
        assert record.labels == tuple(float(stated[name]) for name in FINDINGS)
    assert any(record.labels[0] for record in corpus.records)
    assert "7 images here, 4,711 published" in "\n".join(corpus.notices)
    assert np.array_equal(read_volume(corpus.records[0].image).hounsfield, index_volume() * 3 - 200)


def test_studies_and_not_series_are_split(tmp_path):
    write(tmp_path)
    for seed in range(6):
        corpus = read("ratic", tmp_path, test_fraction=0.4, val_fraction=0.3, seed=seed)
        splits = {(record.study_id, record.split) for record in corpus.records}
        assert len(splits) == 5 and sorted(split for _, split in splits).count("test") == 2
    draws = {tuple(r.split for r in read("ratic", tmp_path, seed=seed).records) for seed in range(6)}
    assert len(draws) > 1
    assert read("ratic", tmp_path, seed=1).records == read("ratic", tmp_path, seed=1).records
    assert round(3147 * TEST_SHARE) == 647  # and thus 2,500 for training with the whole set


def test_the_published_masks_meet_their_series(tmp_path):
    """NIfTI counts from the right and from the back here, DICOM from the left: one grid all the same."""
    write(tmp_path)
    labels = (4 - np.indices((4, 5, 6))[2] // 3).astype(np.uint8)  # 4, the right kidney, where W is small
    ras = labels[:, ::-1, ::-1].transpose(2, 1, 0)
    affine = np.diag([*reversed(SPACING), 1.0])
    z, y, x = (-700.0, -120.0, -90.5)
    affine[:3, 3] = [-(x + 5 * SPACING[2]), -(y + 4 * SPACING[1]), z]
    save_nifti(tmp_path / "segmentations" / "1000500.nii", ras, affine)
    corpus = read("ratic", tmp_path, masks="segmentations")
    (record,) = [record for record in corpus.records if record.label_map]
    assert record.image.endswith("1000500") and "6 volumes have no label map" in "\n".join(corpus.notices)
    organs = read_organs(record.label_map, ["kidney_left"], read_volume(record.image), label_table="ratic")
    assert np.array_equal(organs, (np.indices((4, 5, 6))[2] >= 3).astype(np.uint8))


def test_what_is_missing_or_cannot_be(tmp_path):
    with pytest.raises(DatasetError, match="no folder train_images"):
        read("ratic", tmp_path)
    write(tmp_path)
    text = (tmp_path / "train_2024.csv").read_text()
    (tmp_path / "train_2024.csv").write_text(text.replace("10004,", "99999,"))
    corpus = read("ratic", tmp_path)
    notes = "\n".join(corpus.notices)
    assert "1 series are of no patient in the table (1000400)" in notes
    assert "1 patients of the table are not here (99999)" in notes
    (tmp_path / "train_2024.csv").write_text(HEADER + "\n1" + ",0" * 14 + "\n")
    with pytest.raises(DatasetError, match="the liver of patient 1 has not one of the grades"):
        read("ratic", tmp_path)
    (tmp_path / "train_2024.csv").write_text(HEADER.replace("liver_low", "liver_lo") + "\n")
    with pytest.raises(DatasetError, match="no column 'liver_low'"):
        read("ratic", tmp_path)
    (tmp_path / "train_2024.csv").unlink()
    with pytest.raises(DatasetError, match="no label table"):
        read("ratic", tmp_path)
