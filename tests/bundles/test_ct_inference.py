"""A folder of volumes of which some cannot be read."""

from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from ct_files import label_extension

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork
from bundles.ct_diagnosis_classification.scripts.transforms import PrepareVolumed, Probabilitiesd
from common.files import UnreadableImage
from common.volumes import Preparation

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "ct_diagnosis_classification"
CROP = (16, 32, 32)
RECIPE = {
    "architecture": "swin3d_t",
    "architecture_options": "{'width': 32}",
    "crop_size": "[16,32,32]",
    "spacing": "[10.0,8.0,8.0]",
    "findings": "['one','two']",
    "num_workers": 0,
}


def write(path, spacing=8.0):
    values = np.random.default_rng(0).integers(-900, 300, (40, 40, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([spacing, spacing, 10.0, 1.0])), path)
    return path


@pytest.fixture
def infer(python, tmp_path):
    """Ask an untrained network about the volumes of `tmp_path`: the answer of the command, and its table."""
    torch.manual_seed(0)
    network = DiagnosisNetwork(build_backbone("swin3d_t", CROP, width=32), 2)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    out = tmp_path / "out" / "probabilities.csv"
    words = ["--config_file", BUNDLE / "configs" / "inference.yaml", "--bundle_root", BUNDLE]
    flags = {**RECIPE, "ckpt_path": tmp_path / "model.pt", "dataset_dir": tmp_path, "output_file": out}
    words += [word for key, value in flags.items() for word in (f"--{key}", value)]

    def infer():
        answer = python("-m", "monai.bundle", "run", *words, cwd=ROOT)
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer, pd.read_csv(out)

    return infer


def test_volumes_that_cannot_be_read_are_named_and_all_others_answered(infer, tmp_path):
    sound = [str(write(tmp_path / f"{name}.nii.gz")) for name in ("a", "z")]
    (tmp_path / "cut.nii.gz").write_bytes(Path(sound[0]).read_bytes()[:500])
    answer, table = infer()
    assert answer.returncode == 1
    assert answer.stderr.endswith(
        "1 of 3 volumes could not be read and is left out: cut.nii.gz (its gzip data are cut or corrupt (they end too "
        "early)). The other 2 are written.\n"
    )
    assert table["source"].tolist() == sound and table[["one", "two"]].notna().all(axis=None)


def test_a_label_map_beside_its_volume_is_no_error(infer, tmp_path):
    volume = write(tmp_path / "a.nii.gz")
    labels = nibabel.Nifti1Image(np.ones((40, 40, 20), np.uint8), np.diag([8.0, 8.0, 10.0, 1.0]))
    labels.header.extensions.append(label_extension({"liver": 1}))
    nibabel.save(labels, tmp_path / "b.nii.gz")
    answer, table = infer()
    assert answer.returncode == 0 and table["source"].tolist() == [str(volume)]
    said = "1 of 2 files are no volumes and are set aside: b.nii.gz (its header names labels: it is a label map)."
    assert said in answer.stdout + answer.stderr


def test_a_volume_too_large_for_this_machine_is_one_that_cannot_be_read(tmp_path, monkeypatch):
    """As one whose header has its spacing in other units."""

    def prepare(*_):
        raise MemoryError("Unable to allocate 60 GiB")

    transform = PrepareVolumed("image", Preparation(), CROP, (-1000, 200))
    path = write(tmp_path / "a.nii.gz")
    assert transform({"image": str(path)})["image"].isfinite().all()
    monkeypatch.setattr(Preparation, "prepare", prepare)
    with pytest.raises(
        UnreadableImage, match=r"a\.nii\.gz: .* not fit in memory \(Unable to allocate 60 GiB\).* spacing"
    ):
        transform({"image": str(path)})


def test_injuries_exclude_each_other_and_any_of_them_is_their_complement():
    logits = torch.tensor([0.0, -2.0, 1.0, 0.5, -1.0, 2.0, 0.0, 0.0, 0.3, 0.2, 0.1])
    names = {"binary": ("bowel", "extravasation"), "graded": ("liver", "spleen", "kidney")}
    found = Probabilitiesd("pred", names)({"pred": logits})["pred"]
    assert len(found) == 12 and found[:2].tolist() == logits[:2].sigmoid().tolist()
    grades = found[2:11].reshape(3, 3)
    assert grades.sum(1).tolist() == pytest.approx([1, 1, 1])
    healthy = (1 - found[:2]).prod() * grades[:, 0].prod()
    assert found[11].item() == pytest.approx(1 - healthy.item(), abs=1e-6)
    assert Probabilitiesd("pred")({"pred": logits})["pred"].tolist() == logits.sigmoid().tolist()
