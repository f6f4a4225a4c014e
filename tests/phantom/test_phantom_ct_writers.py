"""Written CT collections against the layouts of CT-RATE and RATIC, read by nibabel and pydicom alone."""

import ast
import csv
import hashlib
from pathlib import Path
from xml.etree import ElementTree

import nibabel
import numpy as np
import pydicom
import pytest

from common.phantom.ct import NAMES, make_abdomen, make_chest, write_ct_rate, write_ratic
from common.phantom.ct.ct_rate import FINDINGS, Scan, chest_scans
from common.phantom.ct.dicom_slices import ENCODINGS, write_series
from common.phantom.ct.label_map import IDS
from common.phantom.ct.ratic import abdomen_series

ROOT = Path(__file__).parents[2]
SEED, SIZE, THICKNESS = 18, 48, 8.0
OPTIONS = {"size": SIZE, "thickness": THICKNESS, "seed": SEED}


@pytest.fixture(scope="module")
def chest(tmp_path_factory):
    return write_ct_rate(tmp_path_factory.mktemp("ct_rate"), 9, **OPTIONS) / "dataset"


@pytest.fixture(scope="module")
def belly(tmp_path_factory):
    return write_ratic(tmp_path_factory.mktemp("ratic"), 5, **OPTIONS)


def table(path):
    return list(csv.DictReader(path.open()))


def digests(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def names_in(path):
    (extension,) = nibabel.load(path).header.extensions
    labels = ElementTree.fromstring(extension.get_content().decode().strip("\0 ")).iter("Label")
    return {label.text: int(label.attrib["Key"]) for label in labels}


def test_ct_rate_layout(chest):
    for split, metadata in (("train", "train"), ("valid", "validation")):
        rows = table(chest / "multi_abnormality_labels" / f"{split}_predicted_labels.csv")
        assert list(rows[0]) == ["VolumeName", *FINDINGS] and len(FINDINGS) == 18
        facts = {row["VolumeName"]: row for row in table(chest / "metadata" / f"{metadata}_metadata.csv")}
        assert list(facts) == [row["VolumeName"] for row in rows] and len(facts[rows[0]["VolumeName"]]) == 44
        for row in rows:
            name = row["VolumeName"]
            patient, scan, _ = name.split("_")[1:]
            place = Path(f"{split}_fixed", f"{split}_{patient}", f"{split}_{patient}_{scan}", name)
            image = nibabel.load(chest / place)
            fact = facts[name]
            zooms = [*ast.literal_eval(fact["XYSpacing"])[::-1], float(fact["ZSpacing"])]
            assert np.allclose(image.header.get_zooms(), zooms, rtol=1e-5)
            assert image.shape == (int(fact["Columns"]), int(fact["Rows"]), int(fact["NumberofSlices"]))
            assert image.get_data_dtype() == np.int16 and {row[finding] for finding in FINDINGS} <= {"0", "1"}
            labels = nibabel.load(chest / "ts_seg" / "ts_total" / place)
            assert labels.shape == image.shape and np.array_equal(labels.affine, image.affine)


def test_ct_rate_files_hold_what_was_made(chest):
    scan = chest_scans(SEED, 9)[4]
    made = make_chest(SEED, *scan, size=SIZE, thickness=THICKNESS)
    place = Path(f"{scan.split}_fixed") / scan.folder / scan.name
    image = nibabel.load(chest / place)
    assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), made.hounsfield)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    path = chest / "ts_seg" / "ts_total" / place
    values, names = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0), names_in(path)
    assert names == IDS
    for name in ("heart", "lung_middle_lobe_right", "liver"):
        assert np.array_equal(values == names[name], made.labels == NAMES.index(name))
    # The liver is to the patient's right, where NIfTI's x is positive, and below the heart.
    centre = {
        name: (image.affine @ [*np.argwhere(values.transpose(2, 1, 0) == names[name]).mean(0), 1])[:3]
        for name in ("liver", "heart", "spleen")
    }
    assert centre["liver"][0] > centre["heart"][0] > centre["spleen"][0] and centre["liver"][2] < centre["heart"][2]
    row = next(row for row in _all_labels(chest) if row["VolumeName"] == scan.name)
    assert {name for name in FINDINGS if row[name] == "1"} == {
        name for name, present in made.findings.items() if present
    }


def _all_labels(chest):
    return [row for path in sorted((chest / "multi_abnormality_labels").iterdir()) for row in table(path)]


def test_patients_are_numbered_without_gaps_and_split_whole():
    scans = chest_scans(SEED, 400)
    assert scans[:50] == chest_scans(SEED, 50) and len({scan.name for scan in scans}) == 400
    for split in ("train", "valid"):
        numbers = [int(scan.name.split("_")[1]) for scan in scans if scan.split == split]
        assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))
    assert Scan(2, 0, 0).name == "valid_1_a_1.nii.gz" and Scan(3, 1, 1).name == "train_2_b_2.nii.gz"
    assert len({(scan.patient, scan.scan) for scan in scans}) < 400  # several reconstructions
    assert any(scan.scan for scan in scans)


def test_reconstructions_share_their_labels(chest):
    rows = {row["VolumeName"]: tuple(row[name] for name in FINDINGS) for row in _all_labels(chest)}
    scans = chest_scans(SEED, 9)
    by_scan = {}
    for scan in scans:
        by_scan.setdefault(scan[:2], set()).add(rows[scan.name])
    assert all(len(found) == 1 for found in by_scan.values()) and len(by_scan) < len(scans)


def test_ratic_layout(belly):
    patients, series = table(belly / "train_2024.csv"), table(belly / "train_series_meta.csv")
    columns = (
        "patient_id bowel_healthy bowel_injury extravasation_healthy extravasation_injury kidney_healthy kidney_low"
    )
    columns += " kidney_high liver_healthy liver_low liver_high spleen_healthy spleen_low spleen_high any_injury"
    assert list(patients[0]) == columns.split() and len(patients) == 5
    for row in patients:
        healthy = all(row[name] == "1" for name in row if name.endswith("_healthy"))
        assert row["any_injury"] == str(int(not healthy))
    assert list(series[0]) == ["patient_id", "series_id", "aortic_hu", "incomplete_organ"]
    folders = {(path.parent.name, path.name) for path in (belly / "train_images").glob("*/*")}
    assert folders == {(row["patient_id"], row["series_id"]) for row in series}
    assert {row["patient_id"] for row in series} == {row["patient_id"] for row in patients}
    assert {path.name for path in (belly / "masks").iterdir()} == {f"{row['series_id']}.nii.gz" for row in series}
    injured = {row["patient_id"] for row in patients if "1" in (row["bowel_injury"], row["extravasation_injury"])}
    marks = table(belly / "image_level_labels_2024.csv")
    assert marks and {row["patient_id"] for row in marks} == injured
    for row in marks:
        folder = belly / "train_images" / row["patient_id"] / row["series_id"]
        assert (folder / f"{row['instance_number']}.dcm").is_file()
        assert row["injury_name"] in ("Active_Extravasation", "Bowel")


def read_slices(folder):
    """Hounsfield units and positions of a series, slices from the feet to the head, sign bits put right."""
    slices = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda one: one.ImagePositionPatient[2])
    pixels = []
    for one in slices:
        values = np.frombuffer(one.PixelData, "<u2").reshape(one.Rows, one.Columns).astype(np.int64)
        values &= (1 << one.BitsStored) - 1
        if one.PixelRepresentation:
            values -= (values >> (one.BitsStored - 1)) << one.BitsStored
        pixels.append(values * int(one.RescaleSlope) + int(one.RescaleIntercept))
    return np.array(pixels), slices


def test_ratic_series_hold_what_was_made_where_it_was(belly):
    for series in abdomen_series(SEED, 5)[:3]:
        made = make_abdomen(SEED, *series, size=SIZE, thickness=THICKNESS)
        values, slices = read_slices(belly / "train_images" / str(series.patient_id) / str(series.series_id))
        assert np.abs(values - np.clip(made.hounsfield, -1024, 2047)).max() <= max(int(made.hounsfield.max()) - 2047, 0)
        affine = nibabel.load(belly / "masks" / f"{series.series_id}.nii.gz").affine
        for index, one in enumerate(slices):
            assert one.InstanceNumber == int(Path(one.filename).stem)
            right_front = -np.array(one.ImagePositionPatient[:2], float)
            assert (affine @ [0, 0, index, 1])[:3] == pytest.approx(
                [*right_front, one.ImagePositionPatient[2]], abs=1e-2
            )
        assert np.allclose(slices[0].PixelSpacing, made.spacing[1:], rtol=1e-5)
        assert len({one.SeriesInstanceUID for one in slices}) == 1
        assert len({one.SOPInstanceUID for one in slices}) == len(slices)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("downwards", [False, True])
def test_every_encoding_gives_the_same_volume(tmp_path, encoding, downwards):
    made = make_abdomen(SEED, 3, size=SIZE, thickness=10.0)
    numbers = write_series(made, tmp_path, 7, 8, 31, downwards, encoding)
    values, slices = read_slices(tmp_path)
    assert np.array_equal(values, np.clip(made.hounsfield, -1024, 2047 if encoding == "signed_12_bit" else None))
    assert [one.InstanceNumber for one in slices] == numbers.tolist() and min(numbers) == 31
    assert bool(numbers[0] > numbers[-1]) is downwards


def test_unknown_encodings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="encoding is 'jpeg'"):
        write_series(make_abdomen(SEED, 3, size=SIZE, thickness=10.0), tmp_path, 7, 8, 1, False, "jpeg")


def test_marks_are_on_the_slices_that_show_them(belly):
    marks = table(belly / "image_level_labels_2024.csv")
    for series in abdomen_series(SEED, 5):
        made = make_abdomen(SEED, *series, size=SIZE, thickness=THICKNESS)
        slices = read_slices(belly / "train_images" / str(series.patient_id) / str(series.series_id))[1]
        for finding, name in (("bowel", "Bowel"), ("extravasation", "Active_Extravasation")):
            wanted = {slices[index].InstanceNumber for index in np.flatnonzero(made.slices.get(finding, []))}
            written = {
                int(row["instance_number"])
                for row in marks
                if row["series_id"] == str(series.series_id) and row["injury_name"] == name
            }
            assert written == wanted


@pytest.mark.parametrize("write", [write_ct_rate, write_ratic])
def test_workers_and_count_change_no_volume(write, tmp_path, chest, belly):
    write(tmp_path, 3, **OPTIONS, workers=2)
    before = digests(chest.parent if write is write_ct_rate else belly)
    volumes = {name: value for name, value in digests(tmp_path).items() if not name.endswith(".csv")}
    assert volumes and all(before[name] == value for name, value in volumes.items())


@pytest.mark.parametrize("write", [write_ct_rate, write_ratic])
def test_nothing_and_too_little_are_refused(write, tmp_path):
    with pytest.raises(ValueError, match="count is 0"):
        write(tmp_path, 0)
    with pytest.raises(ValueError, match="size is 16, below 48"):
        write(tmp_path, 1, size=16)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("layout", "found"), [("ct_rate", "dataset/metadata"), ("ratic", "train_2024.csv")])
def test_command_line(layout, found, tmp_path, python):
    command = [ROOT / "scripts" / "make_phantom.py", tmp_path / "new", "--layout", layout]
    options = ["--count", "1", "--size", "48", "--thickness", "9", "--workers", "1"]
    done = python(*command, *options)
    assert done.returncode == 0 and "1 " in done.stdout and (tmp_path / "new" / found).exists(), done.stderr
    bad = python(*command, "--count", "1", "--thickness", "0")
    assert bad.returncode == 1 and "thickness is 0" in bad.stderr


def test_thickness_is_for_cts_only(tmp_path, python):
    done = python(ROOT / "scripts" / "make_phantom.py", tmp_path, "--thickness", "3")
    assert done.returncode == 2 and "chestxray14 has no slices" in done.stderr
    done = python(ROOT / "scripts" / "make_phantom.py", tmp_path, "--layout", "ratic", "--lesion-scale", "2")
    assert done.returncode == 2 and "only ct_rate's nodules grow" in done.stderr
    done = python(ROOT / "scripts" / "make_phantom.py", tmp_path, "--layout", "ratic", "--no-mimics")
    assert done.returncode == 2 and "of ct_rate's findings, not of ratic's" in done.stderr
