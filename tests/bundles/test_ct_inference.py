"""A folder of volumes of which one cannot be read."""

import nibabel
import numpy as np
import pytest
import torch

from bundles.ct_diagnosis_classification.scripts.backbones import build_backbone
from bundles.ct_diagnosis_classification.scripts.network import DiagnosisNetwork
from bundles.ct_diagnosis_classification.scripts.transforms import PrepareVolumed, Probabilitiesd
from common.volumes import Preparation

CROP = (16, 32, 32)


def test_a_volume_that_cannot_be_read_is_named_and_leaves_the_others_alone(tmp_path, caplog):
    values = np.random.default_rng(0).integers(-900, 300, (40, 40, 20)).astype(np.int16)
    sound, cut = tmp_path / "sound.nii.gz", tmp_path / "cut.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.5, 1.5, 3.0, 1.0])), sound)
    cut.write_bytes(sound.read_bytes()[:500])
    transform = PrepareVolumed("image", Preparation(), CROP, (-1000, 200))
    images = torch.stack([transform({"image": str(path)})["image"] for path in (sound, cut)])
    assert images[0].isfinite().all() and images[1].isnan().all()
    assert "cut.nii.gz" in caplog.text and "gzip data are cut" in caplog.text and "Its row stays blank" in caplog.text
    torch.manual_seed(0)
    for architecture in ("r3d_18", "mvit_v2_s", "swin3d_t"):
        network = DiagnosisNetwork(build_backbone(architecture, CROP), 2).eval()
        with torch.no_grad():
            both, alone = network(images), network(images[:1])
        assert both[0].tolist() == pytest.approx(alone[0].tolist(), abs=1e-5) and both[1].isnan().all(), architecture


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
