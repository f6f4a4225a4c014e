"""A seed gives every method the same encoder to start from, so that runs can be compared in pairs."""

from pathlib import Path

import pytest
import torch
from commands import train, write_images
from monai.utils import set_determinism

from common.networks import build_encoder, load_encoder, save_encoder

SEED = 3


@pytest.mark.parametrize("bundle", ["cxr_ace", "cxr_adam", "cxr_adam_v2", "cxr_leader", "cxr_srhrs"])
def test_a_training_starts_from_the_weights_of_its_seed(bundle: str, tmp_path: Path) -> None:
    still = {"learning_rate": 0.0, "schedules#lr#final": 0.0, "seed": SEED, "epochs": 1, "run_name": "still"}
    experts = {}
    if bundle == "cxr_leader":
        file = save_encoder(
            build_encoder("resnet18", 1, 64, options={"channels": [8] * 4}), tmp_path / "expert.safetensors"
        )
        experts = {"disease_file": str(file), "anatomy_file": str(file)}
    (tmp_path / "images").mkdir()
    assert train(bundle, tmp_path, write_images(tmp_path / "images"), (), **still, **experts) == 0
    (kept,) = tmp_path.glob("*/still/encoder.safetensors")
    started, _ = load_encoder(kept)
    told = started.description
    set_determinism(seed=SEED)
    reference = build_encoder(told.architecture, told.in_channels, told.image_size, options=told.options)
    weights = dict(started.named_parameters())
    for name, expected in reference.named_parameters():
        assert torch.equal(weights[name], expected), name
