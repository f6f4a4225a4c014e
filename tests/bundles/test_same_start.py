"""A seed gives every method the same encoder to start from, so that runs can be compared in pairs; which loss moves it
is tracked on demand.
"""

from pathlib import Path

import pytest
import torch
from commands import train, write_images
from monai.utils import set_determinism
from toy_bundle.scripts.children import query

from common.networks import build_encoder, load_encoder, save_encoder

SEED = 3
LOSSES = {  # that share the gradient; MoCo v2 has one
    "cxr_ace": {"global", "composition", "decomposition"},
    "cxr_adam": set(),
    "cxr_adam_v2": {"localisation", "composition", "decomposition"},
    "cxr_leader": {"anatomy", "disease"},
    "cxr_srhrs": {"contrast", "location_scale", "decomposition"},
}


@pytest.mark.parametrize("bundle", LOSSES)
def test_a_training_starts_from_the_weights_of_its_seed(bundle: str, tmp_path: Path) -> None:
    still = {"learning_rate": 0.0, "schedules#lr#final": 0.0, "seed": SEED, "epochs": 1, "run_name": "still"}
    still["gradient_share_interval"] = 1
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
    keys = {key for (key,) in query(tmp_path, "select distinct key from metrics where key like 'gradient_share/%'")}
    assert {key.removeprefix("gradient_share/") for key in keys} == LOSSES[bundle]
