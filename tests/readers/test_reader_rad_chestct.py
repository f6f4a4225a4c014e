import numpy as np
import pytest
from ct_files import index_volume

from common.files import DatasetError
from common.readers import read
from common.readers.ct.rad_chestct import CLASSES, FINDINGS
from common.volumes import read_volume

LOCATIONS = ("left_upper_lobe", "heart", "other_location")
# Tokens that begin or end like one of the 16 and are others.
DECOYS = ("nodulegr1cm", "scattered_calc", "calcified_granuloma", "other_path", "pleural_thickening")
NAMES = {"train": ["trn00001", "trn00002", "trn00003"], "valid": ["val00001"], "test": ["tst00001", "tst00002"]}


def write(root):
    root.mkdir()
    truth = {}
    tokens = [*DECOYS, *reversed(CLASSES)]
    columns = [f"{token}*{location}" for token in tokens for location in LOCATIONS]
    generator = np.random.default_rng(0)
    for part, names in NAMES.items():
        lines = ["NoteAcc_DEID," + ",".join(columns)]
        for name in names:
            values = generator.random(len(columns)) < 0.25
            lines.append(",".join([name, *(str(int(value)) for value in values)]))
            found = {column.split("*")[0] for column, value in zip(columns, values, strict=True) if value}
            truth[name] = tuple(float(token in found) for token in CLASSES)
            np.savez_compressed(root / f"{name}.npz", ct=index_volume()[::-1])
        (root / f"img{part}_Abnormality_and_Location_Labels.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{name},{number}" for number, name in enumerate(name for names in NAMES.values() for name in names)]
    (root / "CT_Scan_Metadata_Complete_35747.csv").write_text("NoteAcc_DEID,MRN_DEID\n" + "\n".join(rows) + "\n")
    return truth


def by_name(corpus):
    return {record.image.split("/")[-1].removesuffix(".npz"): record for record in corpus.records}


def test_any_location_counts_and_tokens_match_whole(tmp_path):
    truth = write(tmp_path / "rad")
    corpus = read("rad_chestct", tmp_path / "rad")
    assert {name: record.labels for name, record in by_name(corpus).items()} == truth
    assert 0 < sum(map(sum, truth.values())) < 16 * len(truth)
    assert len(FINDINGS) == 16 and FINDINGS[1] == "Calcification" and "Mosaic attenuation pattern" not in FINDINGS
    assert np.array_equal(read_volume(corpus.records[0].image).hounsfield, index_volume())


def test_the_names_give_the_split(tmp_path):
    write(tmp_path / "rad")
    official = by_name(read("rad_chestct", tmp_path / "rad"))
    assert {name[:3]: record.split for name, record in official.items()} == {
        "trn": "train",
        "val": "val",
        "tst": "test",
    }
    papers = read("rad_chestct", tmp_path / "rad", val_fraction=0)
    assert sorted(record.split for record in papers.records) == ["test", "test", *["train"] * 4]
    drawn = read("rad_chestct", tmp_path / "rad", val_fraction=0.5)
    assert sum(record.split == "val" for record in drawn.records) == 2
    assert "4 train images here, 2,646 published" in "\n".join(papers.notices)


def test_patients_come_from_the_metadata(tmp_path):
    write(tmp_path / "rad")
    table = tmp_path / "rad" / "CT_Scan_Metadata_Complete_35747.csv"
    assert by_name(read("rad_chestct", tmp_path / "rad"))["val00001"].patient_id == "3"
    table.write_text(table.read_text().replace("tst00001,4", "tst00001,0"))
    with pytest.raises(DatasetError, match="0 in test and train"):
        read("rad_chestct", tmp_path / "rad")
    assert len(read("rad_chestct", tmp_path / "rad", shared_patients="drop")) == 5
    table.unlink()
    corpus = read("rad_chestct", tmp_path / "rad")
    assert corpus.records[0].patient_id == "trn00001" and "each volume counts as a patient" in "\n".join(corpus.notices)


def test_tables_that_lack_a_class_or_are_missing(tmp_path):
    write(tmp_path / "rad")
    table = tmp_path / "rad" / "imgtest_Abnormality_and_Location_Labels.csv"
    text = table.read_text()
    table.write_text(text.replace("hernia*", "hernias*"))
    with pytest.raises(DatasetError, match=r"no column 'hernia\*"):
        read("rad_chestct", tmp_path / "rad")
    table.unlink()
    corpus = read("rad_chestct", tmp_path / "rad")
    assert "2 volumes have no labels (tst00001.npz, tst00002.npz)" in "\n".join(corpus.notices)
    for other in (tmp_path / "rad").glob("img*.csv"):
        other.unlink()
    with pytest.raises(DatasetError, match="no label table"):
        read("rad_chestct", tmp_path / "rad")
