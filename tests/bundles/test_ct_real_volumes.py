"""Real CT volumes and a DICOM series through preparation, training with and without their masks, and inference."""

import csv
import json

import pytest
from commands import command

BUNDLE = "ct_diagnosis_classification"
MASKS = {  # volume: the published label map on its grid
    "example_ct.nii.gz": "example_seg_fast_force_split.nii.gz",
    "example_ct_sm.nii.gz": "example_seg.nii.gz",
    "example_ct_dicom": "example_seg_dicom.nii.gz",
    "chest_ct_cropped.nii.gz": None,
}


@pytest.fixture
def volumes(cxr_data, tmp_path):
    """The volumes with a table of made-up labels: two to train on, two of both classes to validate on."""
    published, folder = cxr_data / "ct_totalsegmentator", tmp_path / "volumes"
    (folder / "masks").mkdir(parents=True)
    rows = []
    for number, (name, mask) in enumerate(MASKS.items()):
        (folder / name).symlink_to(published / name)
        if mask:
            (folder / "masks" / f"{name.removesuffix('.nii.gz')}.nii.gz").symlink_to(published / mask)
        rows.append([name, number % 2, "val" if number in (1, 2) else "train"])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "Nodule", "split"], *rows])
    return folder


@pytest.mark.real
@pytest.mark.slow
def test_real_volumes_are_prepared_trained_on_and_diagnosed(volumes, tmp_path):
    table = {"labels_csv": "labels.csv", "label_columns": "@findings", "split_column": "split", "masks": "masks"}
    table["test_fraction"] = 0.0
    options = {
        "dataset_dir": str(volumes),
        "dataset_options": table,
        "findings": ["Nodule"],
        "architecture": "r3d_18",
        "structures": ["lung_lower_lobe_left", "liver"],
        "run_name": "real",
        "num_workers": 0,
        "epochs": 2,
    }
    assert command(BUNDLE, tmp_path / "runs", ["data/ct_folder"], **options) == 0
    run = tmp_path / "runs" / BUNDLE / "real"
    curves = json.loads((run / "dynamics.json").read_text())
    assert len(curves["loss"]) == 2, "two volumes are one batch"
    results = {}
    for place, name in ((volumes, "all"), (volumes / "example_ct_dicom", "series")):
        where = tmp_path / f"{name}.csv"
        flags = {"ckpt_path": str(run / "model.pt"), "dataset_dir": str(place), "output_file": str(where)}
        flags["dataset_options"] = {"masks": "masks"} if name == "all" else {}
        kept = json.loads((run / "network.json").read_text())
        assert command(BUNDLE, None, base=["inference"], num_workers=0, **flags, **kept) == 0
        with where.open() as file:
            results[name] = {row[0].rstrip("/").split("/")[-1]: row[1:] for row in list(csv.reader(file))[1:]}
    assert set(results["all"]) == set(MASKS)
    assert all(0 < float(value) < 1 for row in results["all"].values() for value in row[:1])
    assert next(iter(results["series"].values())) == results["all"]["example_ct_dicom"]
