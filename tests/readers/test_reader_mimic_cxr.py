import gzip
import math
import shutil

import pytest
from pictures import save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.cxr.mimic_cxr import FINDINGS

# In alphabetical order, as the publisher has them.
COLUMNS = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,"
    "No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
IMAGES = (  # dicom, study, subject, split, view
    ("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", "50414267", "10000032", "train", "PA"),
    ("174413ec-4ec4c1f7-34ea26b7-c5f994f8-79ef1962", "50414267", "10000032", "train", "LATERAL"),
    ("2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab", "53189527", "10000032", "train", ""),
    ("68b5c4b1-227d0485-9cc38c3f-7b84ab51-4b472714", "58913004", "10001217", "validate", "AP"),
    ("fffabebf-74fd3a1f-673b6b41-96ec0ac9-2ab69818", "56699142", "10002428", "test", "AP"),
)
LABELS = {  # study -> the columns
    "50414267": ",,,,,,,,1.0,,,,,",
    "53189527": "1.0,-1.0,,0.0,,,,,,,,-1.0,,",
    "58913004": "0.0,,,,,,,,,,,1.0,,1.0",
    "56699142": ",,,,,,,,,1.0,,,,",
}
SUBJECTS = {study: subject for _, study, subject, _, _ in IMAGES}


def write(root):
    for number, (dicom, study, subject, _, _) in enumerate(IMAGES):
        save_grey(root / "files" / f"p{subject[:2]}" / f"p{subject}" / f"s{study}" / f"{dicom}.jpg", number)
    tables = {
        "split": ["dicom_id,study_id,subject_id,split", *(",".join(image[:4]) for image in IMAGES)],
        "metadata": [METADATA, *(f"{d},{s},{p},CHEST,{view},8,8,21800506,1,x,y,z" for d, p, s, _, view in IMAGES)],
        "chexpert": [f"subject_id,study_id,{COLUMNS}", *(f"{SUBJECTS[s]},{s},{row}" for s, row in LABELS.items())],
    }
    tables["negbio"] = [line.replace("-1.0", "0.0") for line in tables["chexpert"]]
    for what, lines in tables.items():
        (root / f"mimic-cxr-2.0.0-{what}.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def edit(root, what, before, after):
    path = root / f"mimic-cxr-2.0.0-{what}.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    assert before in text
    path.write_bytes(gzip.compress(text.replace(before, after).encode()))


def by_id(corpus):
    return {record.image.split("/")[-1][:8]: record for record in corpus.records}


def labels(record):
    """Those that are known."""
    return {finding: value for finding, value in zip(FINDINGS, record.labels, strict=True) if not math.isnan(value)}


def test_labels_of_a_study_are_found_by_name_and_given_in_chexperts_order(root):
    corpus = read("mimic_cxr", root)
    assert corpus.findings == FINDINGS and FINDINGS[:2] == ("No Finding", "Enlarged Cardiomediastinum")
    records = by_id(corpus)
    assert labels(records["02aa804e"]) == labels(records["174413ec"]) == {"No Finding": 1}
    assert labels(records["2a2277a9"]) == {"Atelectasis": 1, "Edema": 0}
    assert labels(records["68b5c4b1"]) == {"Atelectasis": 0, "Pneumonia": 1, "Support Devices": 1}
    assert labels(records["fffabebf"]) == {"Pleural Effusion": 1}


def test_splits_patients_studies_and_views_are_the_tables(root):
    records = by_id(read("mimic_cxr", root))
    for dicom, study, subject, split, view in IMAGES:
        record = records[dicom[:8]]
        assert (record.patient_id, record.study_id, record.view) == (subject, study, view or None)
        assert record.split == {"validate": "val"}.get(split, split)
    assert "1 val images here, 2,991 published" in read("mimic_cxr", root).notices
    assert {record.view for record in read("mimic_cxr", root, views="AP").records} == {"AP"}


def test_policies_and_the_other_labeller(root):
    ones = by_id(read("mimic_cxr", root, uncertain="ones", blank="zeros"))["2a2277a9"]
    assert {finding for finding, value in labels(ones).items() if value} == {"Atelectasis", "Cardiomegaly", "Pneumonia"}
    assert len(labels(ones)) == 14
    other = by_id(read("mimic_cxr", root, labeller="negbio"))["2a2277a9"]
    assert labels(other) == {"Atelectasis": 1, "Edema": 0, "Cardiomegaly": 0, "Pneumonia": 0}
    corpus = read("mimic_cxr", root, uncertain="class")
    assert len(corpus.findings) == 28
    record = dict(zip(corpus.findings, by_id(corpus)["2a2277a9"].labels, strict=True))
    assert (record["Cardiomegaly"], record["Cardiomegaly uncertain"], record["Edema uncertain"]) == (0, 1, 0)
    with pytest.raises(DatasetError, match=r"labeller: the value is 'Chexpert'\. It must be one of chexpert, negbio"):
        read("mimic_cxr", root, labeller="Chexpert")


def test_a_part_is_read_with_notices(root):
    (root / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    shutil.rmtree(root / "files" / "p10" / "p10002428")
    save_grey(root / "files" / "p10" / "other.jpg", 9)
    edit(root, "chexpert", "10001217,58913004,", "10001217,1,")
    corpus = read("mimic_cxr", root)
    text = "\n".join(corpus.notices)
    assert "metadata.csv.gz is missing" in text and {record.view for record in corpus.records} == {None}
    assert "1 images of mimic-cxr-2.0.0-split.csv.gz are not here (fffabebf" in text
    assert "1 images are not in mimic-cxr-2.0.0-split.csv.gz and left out (files/p10/other.jpg)" in text
    assert "1 images have no labels (68b5c4b1" in text and by_id(corpus)["68b5c4b1"].labels is None


@pytest.mark.parametrize(
    ("what", "before", "after", "message"),
    [
        ("split", "study_id", "study", r"split\.csv\.gz: no column 'study_id'.*Did you mean 'study'"),
        ("chexpert", "Lung Opacity", "Airspace Opacity", r"chexpert\.csv\.gz: no column 'Lung Opacity'"),
        ("chexpert", "1.0,-1.0", "1.0,-2.0", r"line 3: the column 'Cardiomegaly' has the value '-2\.0'"),
        ("split", "10001217,validate", "10000032,validate", "1 patients are in two splits, such as 10000032"),
        ("split", "validate", "held out", "it has the split 'held out'. Known are train, validate and test"),
        (
            "split",
            "10001217,validate",
            "10001217,validate\n68b5c4b1-227d0485-9cc38c3f-7b84ab51-4b472714,1,1,test",
            "contradict",
        ),
        ("metadata", "ViewPosition", "View", "no column 'ViewPosition'"),
    ],
)
def test_damage_is_named(root, what, before, after, message):
    edit(root, what, before, after)
    with pytest.raises(DatasetError, match=message):
        read("mimic_cxr", root)


def test_without_tables_or_images_it_says_where_to_get_them(root):
    (root / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    with pytest.raises(
        DatasetError, match=r"no mimic-cxr-2\.0\.0-chexpert\.csv\.gz in it\. Download it from .*physionet"
    ):
        read("mimic_cxr", root)
    shutil.rmtree(root / "files")
    with pytest.raises(DatasetError, match=r"none of the 5 images of mimic-cxr-2\.0\.0-split\.csv\.gz is there"):
        read("mimic_cxr", root)
