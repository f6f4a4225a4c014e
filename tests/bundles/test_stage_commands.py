"""The curricula of the other bundles end to end: what each stage starts from, seen without learning in between."""

import numpy as np
import pytest
import torch
from commands import train, write_images

from common.teachers.embedding_table import EmbeddingTable, write_table

STILL = {"learning_rate": 0.0, "schedules#lr#final": 0.0}
# seeds of their own: a network that is not handed over begins with other weights
LEADER = {"stages#disease#epochs": 1, "stages#both#epochs": 1, "stages#disease#store_size": 160, "stages#both#seed": 1}
STAGED = [
    (["two_stages"], True),
    pytest.param(["two_stages", "released"], False, marks=pytest.mark.slow),
    pytest.param(["small_two_stages"], True, marks=pytest.mark.slow),
]
SRHRS = {"whole": {"scales": [1.0]}, "half": {"scales": [0.5], "seed": 1}, "quarter": {"scales": [0.25], "seed": 2}}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def weights(root, bundle, stage):
    folder = next((root / bundle).glob(f"*-{stage}"))
    assert (folder / "encoder.safetensors").is_file()
    return torch.load(sorted(folder.glob("checkpoints/iteration-*.pt"))[-1], weights_only=True)["network"]


def kept(before, after):
    """First parts of the names whose weights came over unchanged, among those that both have."""
    same = {name for name in before.keys() & after.keys() if torch.equal(before[name], after[name])}
    random = {name for name in before if before[name].ndim == 2 and before[name].is_floating_point()}
    return {".".join(name.split(".")[:2]) for name in same & random}


@pytest.mark.parametrize(("overlays", "head_kept"), STAGED)
def test_leader_keeps_encoder_and_disease_head_and_begins_the_anatomy_head(images, output_root, overlays, head_kept):
    assert train("cxr_leader", output_root, images, overlays, **LEADER, **STILL) == 0
    disease, both = (weights(output_root, "cxr_leader", stage) for stage in ("disease", "both"))
    assert any(name.startswith("encoder.") for name in kept(disease, both))
    assert ("heads.disease" in kept(disease, both)) is head_kept
    assert not any(name.startswith("heads.anatomy") for name in disease)
    assert any(name.startswith("heads.anatomy") for name in both)


def test_srhrs_goes_through_its_scales_with_student_and_teacher(images, output_root):
    assert train("cxr_srhrs", output_root, images, ["ablations/staged"], epochs=1, stages=SRHRS, **STILL) == 0
    whole, half, quarter = (weights(output_root, "cxr_srhrs", stage) for stage in ("whole", "half", "quarter"))
    assert {"student.encoder", "teacher.network"} <= kept(whole, half) & kept(half, quarter)


def test_a_flag_that_a_stage_overrules_is_refused(images, output_root, capfd):
    assert train("cxr_leader", output_root, images, ["two_stages"], epochs=3) != 0
    assert "--epochs: stage disease has a value of its own, which would win; give --stages#disease#epochs" in (
        capfd.readouterr().err
    )
    assert not (output_root / "cxr_leader").exists()


def test_a_table_that_lacks_patches_is_refused_before_the_first_stage(images, output_root, tmp_path, capfd):
    """Stage 1 takes whole images alone: what stage 2 lacks must not be found out after it."""
    files = np.array([str(path) for path in sorted(images.iterdir())], dtype=object)
    table = EmbeddingTable(
        files, np.tile([0.0, 0.0, 1.0, 1.0], (len(files), 1)), np.ones((len(files), 4), np.float32), {}
    )
    write_table(table, tmp_path / "whole.npz")
    expert = {"disease_file": str(tmp_path / "whole.npz")}
    assert train("cxr_leader", output_root, images, ["two_stages"], **LEADER, **expert) != 0
    error = capfd.readouterr().err
    assert "stage both" in error and "nothing was trained" in error
    assert not list(output_root.glob("cxr_leader/*-disease*"))
