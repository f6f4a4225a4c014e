import shutil

import pytest
from pictures import save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.cxr._padchest_table import BROKEN

HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,PhotometricInterpretation_DICOM,"
    "PixelRepresentation_DICOM,PixelAspectRatio_DICOM,SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,"
    "WindowWidth_DICOM,Rows_DICOM,Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,"
    "labelCUIS,LocalizationsCUIS"
)
TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
ROWS = {  # name -> patient, birth, sex, projection, labels
    "1_a.png": ("p1", "1940.0", "F", "PA", "['pleural effusion', ' Cardiomegaly ', 'laminar atelectasis']"),
    "1_b.png": ("p1", "1940.0", "F", "L", "['pleural effusion', ' Cardiomegaly ', 'laminar atelectasis']"),
    "2_a.png": ("p2", "", "M", "AP_horizontal", "['normal']"),
    "3_a.png": ("p3", "1813.0", "O", "AP", "['unchanged', '']"),
    "4_a.png": ("p4", "2000.0", "None", "COSTAL", ""),
    "5_a.png": ("p5", "2000.0", "M", "EXCLUDE", "['normal']"),
    "6_a.png": ("p6", "2000.0", "M", "PA", "['exclude', 'nodule']"),
    "7_a.png": ("p7", "2000.0", "M", "", "['unchanged', 'nodule']"),
    "8_a.png": ("p8", "1990.0", "M", "PA", "[]"),
}


def row(number, name, patient, birth, sex, view, labels):
    start = f"{number},{name},{number % 3},20140512,s{patient},{patient},{birth},{sex},POSTEROANTERIOR,{view},Manual,No"
    middle = "CR,ImagingDynamicsCompanyLtd,MONOCHROME2,0,,0.1,12,2047,4095,8,8,,,,,-1.42,1,report,Physician"
    return f'{start},{middle},"{labels}",,,,'


def write(root, rows=ROWS):
    for number, name in enumerate(rows):
        save_grey(root / str(number % 3) / name, number)
    lines = [row(number, name, *said) for number, (name, said) in enumerate(rows.items())]
    (root / TABLE).write_text("\n".join([HEADER, *lines]))
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def by_name(corpus):
    return {record.image.split("/")[-1]: record for record in corpus.records}


def positives(corpus, name):
    return {finding for finding, value in zip(corpus.findings, by_name(corpus)[name].labels, strict=True) if value}


def test_labels_are_exact_words_without_blanks_around(root):
    corpus = read("padchest", root)
    assert len(corpus.findings) == 26 and positives(corpus, "1_a.png") == {"pleural effusion", "cardiomegaly"}
    assert positives(corpus, "2_a.png") == {"normal"} and positives(corpus, "7_a.png") == {"nodule"}
    chosen = read("padchest", root, findings=["laminar atelectasis", "Nodule"])
    assert chosen.findings == ("laminar atelectasis", "nodule") and by_name(chosen)["1_b.png"].labels == (1, 0)


def test_what_no_label_says_is_unknown(root):
    records = by_name(read("padchest", root))
    assert [records[name].labels for name in ("3_a.png", "4_a.png", "8_a.png")] == [None] * 3
    assert "3 images have no labels (3_a.png, 4_a.png, 8_a.png)" in read("padchest", root).notices


def test_patients_views_sex_and_age(root):
    corpus = read("padchest", root, test_fraction=0.3)
    records = by_name(corpus)
    assert (records["1_a.png"].patient_id, records["1_a.png"].study_id) == ("p1", "sp1")
    names = ("1_a.png", "1_b.png", "2_a.png", "3_a.png", "4_a.png", "7_a.png")
    assert [records[name].view for name in names] == ["PA", "LATERAL", "AP", "AP", "COSTAL", None]
    assert [(records[name].sex, records[name].age) for name in names] == [
        *(("F", 74), ("F", 74), ("M", None), (None, None), (None, 14), ("M", 14))
    ]
    assert f"{TABLE}: 1 ages are above 120 years and left out (201)" in corpus.notices
    assert records["1_a.png"].split == records["1_b.png"].split
    assert sum(record.split == "test" for record in corpus.records) >= 2
    assert len(read("padchest", root, views=["PA", "AP"])) == 4


def test_excluded_and_broken_images_are_left_out(tmp_path):
    broken = f"{min(BROKEN)}.png"
    write(tmp_path, ROWS | {broken: ("p9", "2000.0", "M", "PA", "['normal']")})
    corpus = read("padchest", tmp_path)
    assert set(ROWS) - set(by_name(corpus)) == {"5_a.png", "6_a.png"} and broken not in by_name(corpus)
    text = "\n".join(corpus.notices)
    assert "2 images that the publisher excludes are left out (5_a, 6_a)" in text
    assert f"1 images that are known to be broken are left out ({min(BROKEN)})" in text
    (image,) = tmp_path.rglob(broken)
    image.unlink()
    assert "broken" not in (text := "\n".join(read("padchest", tmp_path).notices)) and "are not here" not in text


def test_one_flat_folder_and_a_part_of_the_images(root):
    for image in list(root.glob("*/*.png")):
        shutil.move(image, root)
    (root / "2_a.png").unlink()
    corpus = read("padchest", root)
    assert len(corpus) == 6 and f"1 images of {TABLE} are not here (2_a)" in corpus.notices


def change(root, before, after):
    text = (root / TABLE).read_text()
    assert before in text
    (root / TABLE).write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Labels,Loc", "Label,Loc", r"no column 'Labels'.*Did you mean 'Label'"),
        ("['normal']", "['normal'", r"line 4: \"\['normal'\" is no list of labels"),
        ("['normal']", "{'normal': 1}", "is no list of labels"),
        (",p2,", ",,", r"line 4: 2_a\.png has no patient"),
    ],
)
def test_damage_is_named_by_line(root, before, after, message):
    change(root, before, after)
    with pytest.raises(DatasetError, match=message):
        read("padchest", root)


def test_unknown_findings_and_missing_files_are_named(root):
    with pytest.raises(
        DatasetError, match=r"findings: no image has the finding 'pleural effusions'\. Did you mean 'pleural effusion'"
    ):
        read("padchest", root, findings=["pleural effusions"])
    with pytest.raises(DatasetError, match="no image has the finding 'unchanged'"):
        read("padchest", root, findings=["unchanged"])
    for image in root.glob("*/*.png"):
        image.unlink()
    with pytest.raises(DatasetError, match=r"none of the 9 images of PADCHEST.*is there .*Unpack the archives"):
        read("padchest", root)
    (root / TABLE).unlink()
    with pytest.raises(DatasetError, match=r"no PADCHEST_.*\.csv\.gz in it\. Get it from .*bimcv"):
        read("padchest", root)
