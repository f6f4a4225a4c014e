import pytest
from pictures import by_name, save_dicom

from common.files import DatasetError
from common.readers import read
from common.records import Box

# The publisher's columns, in its order; the test table spells the last but one in the singular.
COLUMNS = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,"
    "Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,Pleural effusion,"
    "Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,"
    "COPD,Lung tumor,Pneumonia,Tuberculosis,Other diseases,No finding"
)
FINDINGS = tuple(COLUMNS.split(","))
A, B, C, D = (letter * 32 for letter in "abcd")
SAID = {  # training image -> what each of its radiologists says
    A: {"R8": ["No finding"], "R9": ["No finding"], "R10": ["No finding"]},
    B: {
        "R8": ["Pneumonia", "Lung Opacity"],
        "R9": ["Pneumonia", "Lung Opacity", "Nodule/Mass"],
        "R1": ["Other diseases"],
    },
}
TEST = {C: ["Other diseases", "Pleural effusion"], D: ["No finding"]}
BOXES = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
TRAIN_BOXES = (
    f"{A},R8,No finding,,,,\n{B},R8,Lung Opacity,10,20,30,40\n"
    f"{B},R9,Lung Opacity,12,20,30,40\n{B},R9,Nodule/Mass,0,0,5,5\n"
)
TEST_BOXES = f"{C},Pleural effusion,50,0,100,100\n{D},No finding,,,,\n"


def row(said, findings=FINDINGS):
    assert set(said) <= set(findings)
    return ",".join(str(int(finding in said)) for finding in findings)


def write(root):
    """PhysioNet's layout; images of 200 rows and 100 columns."""
    notes = root / "annotations"
    notes.mkdir()
    lines = [f"{image},{rater},{row(said)}" for image, raters in SAID.items() for rater, said in raters.items()]
    (notes / "image_labels_train.csv").write_text("\n".join([f"image_id,rad_id,{COLUMNS}", *lines]))
    header = f"image_id,{COLUMNS}".replace("Other diseases", "Other disease")
    (notes / "image_labels_test.csv").write_text("\n".join([header, *(f"{n},{row(s)}" for n, s in TEST.items())]))
    (notes / "annotations_train.csv").write_text(BOXES + TRAIN_BOXES)
    (notes / "annotations_test.csv").write_text(BOXES.replace("rad_id,", "") + TEST_BOXES)
    for number, name in enumerate((A, B, C, D)):
        folder = root / ("train" if name in SAID else "test")
        save_dicom(
            folder / f"{name}.dicom", number, (200, 100), PatientSex="F", PatientAge="061Y", PixelSpacing=[0.2, 0.1]
        )
    return root


def write_kaggle(root):
    header = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
    lines = [
        *(f"{A},No finding,14,R{rater},,,," for rater in (1, 2, 3)),
        f"{B},Lung Opacity,7,R1,10,20,30,40",
        f"{B},Lung Opacity,7,R2,12,20,30,40",
        f"{B},Lung Opacity,7,R2,50,20,60,40",
        f"{B},Nodule/Mass,8,R2,0,0,5,5",
        f"{B},No finding,14,R3,,,,",
    ]
    (root / "train.csv").write_text("\n".join([header, *lines]))
    (root / "sample_submission.csv").write_text(f"image_id,PredictionString\n{C},14 1 0 0 1 1\n")
    for number, name in enumerate((A, B, C)):
        save_dicom(root / ("test" if name == C else "train") / f"{name}.dicom", number, (200, 100))
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def of(corpus):
    return {name.partition(".")[0]: record for name, record in by_name(corpus).items()}


def positives(corpus, name):
    return {finding for finding, value in zip(corpus.findings, of(corpus)[name].labels, strict=True) if value}


@pytest.mark.parametrize(
    ("votes", "expected", "boxes"),
    [
        ("any", {"Pneumonia", "Lung Opacity", "Nodule/Mass", "Other diseases"}, 3),
        ("majority", {"Pneumonia", "Lung Opacity"}, 2),
        ("all", set(), 0),
    ],
)
def test_radiologists_vote_on_labels_and_boxes(root, votes, expected, boxes):
    corpus = read("vindr_cxr", root, votes=votes, val_fraction=0.0)
    assert corpus.findings == FINDINGS and corpus.choices == {"votes": votes}
    assert positives(corpus, B) == expected and len(of(corpus)[B].boxes) == boxes
    assert positives(corpus, A) == {"No finding"} and not of(corpus)[A].boxes
    assert positives(corpus, C) == {"Other diseases", "Pleural effusion"}  # agreed upon, whatever the vote


def test_boxes_are_fractions_of_the_dicom_file(root):
    corpus = read("vindr_cxr", root)
    assert of(corpus)[C].boxes == (Box("Pleural effusion", 0.0, 0.5, 0.5, 1.0),)
    assert of(corpus)[B].boxes[0] == Box("Lung Opacity", 0.1, 0.1, 0.2, 0.3)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_table_of_a_header_alone_is_named(root, split):
    table = root / f"annotations/image_labels_{split}.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    with pytest.raises(DatasetError, match=rf"image_labels_{split}\.csv: it has a header and no line"):
        read("vindr_cxr", root)


def test_votes_need_to_know_whose_they_are(root):
    """Without the column, two radiologists of one opinion are one line: a majority of two in three would be lost."""
    table = root / "annotations/image_labels_train.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("\n".join(",".join(line[:1] + line[2:]) for line in lines))
    with pytest.raises(DatasetError, match=r"image_labels_train\.csv: no column 'rad_id'"):
        read("vindr_cxr", root, votes="majority")


def test_official_split_headers_and_counts(root):
    corpus = read("vindr_cxr", root, val_fraction=0.0)
    assert {name[0]: record.split for name, record in of(corpus).items()} == dict(
        a="train", b="train", c="test", d="test"
    )
    for record in corpus.records:
        assert (record.sex, record.age, record.pixel_spacing) == ("F", 61, (0.2, 0.1))
    assert {record.sex for record in read("vindr_cxr", root, headers=False).records} == {None}
    assert "2 train images here, 15,000 published" in corpus.notices
    assert len({record.patient_id for record in corpus.records}) == 4


def test_kaggles_layout_has_fifteen_labels_and_no_test_labels(tmp_path):
    corpus = read("vindr_cxr", write_kaggle(tmp_path), val_fraction=0.0, test_fraction=0.5)
    assert len(corpus.findings) == 15 and corpus.findings[-1] == "No finding" and "Pneumonia" not in corpus.findings
    assert positives(corpus, B) == {"Lung Opacity", "Nodule/Mass", "No finding"}
    assert [box.finding for box in of(corpus)[B].boxes] == ["Lung Opacity"] * 3 + ["Nodule/Mass"]
    assert sorted(record.split for record in corpus.records) == ["test", "train"]
    text = "\n".join(corpus.notices)
    assert "1 images are not in the tables of labels and left out" in text and "15,000 published" in text
    majority = read("vindr_cxr", tmp_path, votes="majority")
    assert positives(majority, B) == {"Lung Opacity"} and len(of(majority)[B].boxes) == 3
    assert positives(read("vindr_cxr", tmp_path, votes="all"), A) == {"No finding"}


def test_a_part_is_read_with_notices(root):
    for name in ("image_labels_test", "annotations_test"):
        (root / "annotations" / f"{name}.csv").unlink()
    (root / "train" / f"{A}.dicom").unlink()
    corpus = read("vindr_cxr", root)
    text = "\n".join(corpus.notices)
    assert list(of(corpus)) == [B] and len(of(corpus)[B].boxes) == 3
    assert "image_labels_test.csv is missing" in text and "annotations_test.csv is missing" in text
    assert f"1 images of the tables of labels are not here ({A})" in text
    assert "2 images are not in the tables of labels and left out" in text


@pytest.mark.parametrize(
    ("table", "before", "after", "message"),
    [
        ("image_labels_train", "Lung tumor", "Tumor", "no column 'Lung tumor'"),
        ("image_labels_train", f"{A},R8,0", f"{A},R8,-1", r"line 2 has a label that is neither 0 nor 1"),
        ("image_labels_train", f"{A},R8,0", f"{A},R8,2", r"line 2: the column 'Aortic enlargement' has the value '2'"),
        (
            "image_labels_test",
            f"{C},0",
            f"{A},0",
            rf"image_labels_test\.csv: it holds 1 images of the training table \({A}",
        ),
        ("annotations_train", "Nodule/Mass", "Nodules", r"line 5 has the unknown finding 'Nodules'.*Known are Aortic"),
        ("annotations_train", ",10,20,30,40", ",110,20,130,40", r"has no part inside the image of 200 x 100 pixels"),
        ("annotations_train", ",10,20,30,40", ",10,20,3,40", r"line 3, b+: .*is no box"),
        ("annotations_train", "x_max", "x_most", "no form of a box"),
    ],
)
def test_damage_is_named(root, table, before, after, message):
    path = root / "annotations" / f"{table}.csv"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(DatasetError, match=message):
        read("vindr_cxr", root)


def test_kaggles_damage_is_named(tmp_path):
    path = write_kaggle(tmp_path) / "train.csv"
    path.write_text(path.read_text().replace("Nodule/Mass", "Pneumonia"))
    with pytest.raises(DatasetError, match=r"train\.csv: line 8: b+ has the unknown finding 'Pneumonia'"):
        read("vindr_cxr", tmp_path)
    path.write_text(path.read_text().replace("rad_id", "reader"))
    with pytest.raises(DatasetError, match=r"train\.csv: no column 'rad_id'"):
        read("vindr_cxr", tmp_path)


def test_unknown_votes_missing_tables_and_images(root):
    with pytest.raises(DatasetError, match=r"votes: the value is 'mean'\. It must be one of any, majority, all"):
        read("vindr_cxr", root, votes="mean")
    for image in root.rglob("*.dicom"):
        image.unlink()
    with pytest.raises(DatasetError, match=r"none of the 4 images of the tables of labels is there"):
        read("vindr_cxr", root)
    for table in (root / "annotations").iterdir():
        table.unlink()
    with pytest.raises(DatasetError, match=r"neither image_labels_train\.csv \(PhysioNet\) nor train\.csv \(Kaggle\)"):
        read("vindr_cxr", root)
