"""The chain of commands that ends in LeADER: its experts are runs of two other bundles."""

import pytest
import torch
from commands import command, train, write_images

from common.networks import describe_encoder
from common.records.lineage import Lineage
from common.reporting.data_note import DataNote
from common.teachers import load_expert
from common.teachers.embedding_table import read_table

# a width for each, so that a head's shape tells whose embedding it predicts; without a file both experts have 48
WIDTHS = {"anatomy": 24, "disease": 36}
OPTIONS = {"patch_size": 8, "depth": 1, "num_heads": 3, "class_token": False, "global_pool": "avg", "fc_norm": False}
CLASSES = {"classes": ["EVEN", "ODD"], "val_fraction": 0.3, "test_fraction": 0.0}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of two classes."""
    folder = write_images(tmp_path_factory.mktemp("images"), count=20)
    for number, file in enumerate(sorted(folder.glob("*.png"))):
        of_class = folder / CLASSES["classes"][number % 2]
        of_class.mkdir(exist_ok=True)
        file.rename(of_class / file.name)
    return folder


def test_adam_and_a_classifier_are_leader_s_experts(images, output_root):
    data = {"dataset": "folder", "dataset_dir": str(images), "dataset_options": CLASSES}
    wide = {name: {"encoder_options": {**OPTIONS, "embed_dim": width}} for name, width in WIDTHS.items()}
    assert train("cxr_adam", output_root, images, [], epochs=1, run_name="anatomy", **wide["anatomy"]) == 0
    labels = {"findings": CLASSES["classes"], "exclusive": True}
    classified = command("image_classification", output_root, run_name="disease", **data, **labels, **wide["disease"])
    assert classified == 0
    files = {
        "disease_file": output_root / "image_classification" / "disease",
        "anatomy_file": output_root / "cxr_adam" / "anatomy" / "encoder.safetensors",
    }
    assert train("cxr_leader", output_root, images, [], epochs=1, run_name="student", **files) == 0

    (run,) = (output_root / "cxr_leader").iterdir()
    taught_by = ("image_classification/disease", "cxr_adam/anatomy")
    seen = [DataNote(output_root / folder).read()["trained_on"] for folder in taught_by]
    assert all(seen) and describe_encoder(run / "encoder.safetensors").experts == Lineage((), (*seen[0], *seen[1]))
    newest = sorted(run.glob("checkpoints/iteration-*.pt"))[-1]
    weights = torch.load(newest, weights_only=True)["network"]
    heads = {name: len(weights[f"heads.{name}.2.weight"]) for name in WIDTHS}
    assert heads == WIDTHS
    (cache,) = (output_root / "embeddings").glob("*.npz")
    assert read_table(cache).about["expert"] == load_expert(files["disease_file"]).fingerprint
