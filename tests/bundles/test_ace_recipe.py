"""Every number of ACE's recipes against the supplement [P] or the released code [C], and every overlay built."""

import pytest
import torch
from monai.bundle import ConfigParser
from recipe_parts import config_names, first_losses, orders, parsed

BUNDLE = "cxr_ace"

# id in the recipe -> value, with its source
TRAIN = {
    "cells": 32,  # P: 1024 px in cells of 32
    "tokens": 14,  # P: 448 / 32
    "cell": 32,
    "area": [0.85, 1.0],  # C
    "architecture": "swin_base_patch4_window7_224",  # P
    "network_def#mean": 0.5056,  # C
    "network_def#std": 0.252,  # C
    "network_def#drop_path": 0.1,  # P
    "codes": 65536,  # C
    "global_weight": 0.1,  # C, A22
    "global_loss#student_temperature": 0.1,  # C
    "global_loss#teacher_temperature": 0.04,  # C
    "global_loss#centre_momentum": 0.9,  # C
    "composition#temperature": 0.07,  # C, A28
    "composition#balance": 0.9,  # C
    "decomposition#temperature": 0.07,
    "decomposition#balance": 0.99,  # C
    "epochs": 100,  # P
    "batch_size": 8,  # P: 8 x 4
    "schedules#lr#final": 1e-6,  # C
    "warmup_epochs": 10,  # C
    "schedules#weight_decay#base": 0.04,  # C
    "schedules#weight_decay#final": 0.4,  # C
    "momentum#base": 0.996,  # P
    "momentum#final": 1.0,  # P
    "train#trainer#clip#max_norm": 0.8,  # P
    "train#trainer#clip#mode": "per_tensor",  # C, A27
    "store_size": 1024,
}
PAPER = TRAIN | {
    "composition#normalisation": "softmax",  # P, A5
    "decomposition#normalisation": "softmax",
    "train#trainer#clip#mode": "global",  # P, A27
    "method#dense_head#_disabled_": True,  # C only, A10
}
RELEASED = TRAIN | {
    "epochs": 302,  # C, A25
    "batch_size": 20,  # C, A25
    "network_def#drop_path": 0.2,  # C, A25
    "antialias": False,  # C, A20
}


def recipe(*overlays: str) -> ConfigParser:
    return parsed(BUNDLE, *overlays)


@pytest.mark.parametrize(("overlay", "table"), [((), TRAIN), (("paper",), PAPER), (("released",), RELEASED)])
def test_every_number_of_the_recipe_is_the_source_s(overlay, table):
    parser = recipe(*overlay)
    assert {key: parser[key] for key in table} == table


def test_learning_rate_is_scaled_by_the_global_batch():
    parser = recipe()
    assert parser.get_parsed_content("learning_rate") == pytest.approx(5e-4 * 8 / 256)
    parser = recipe()
    parser["effective_batch"] = 32  # the paper's 8 images on 4 GPUs
    assert parser.get_parsed_content("learning_rate") == pytest.approx(6.25e-5)


ALL = {"global", "composition", "decomposition"}
PARTS = {  # overlay -> losses; every overlay of the bundle is here
    "small": ALL,
    "smoke": ALL,
    "paper": ALL,
    "released": ALL,
    "multi_gpu": ALL,
    "fundus": ALL,
    "evaluate": ALL,
    "probe/lung_masks": ALL,
    "ablations/global_only": {"global"},
    "ablations/composition_only": {"global", "composition"},
    "ablations/decomposition_only": {"global", "decomposition"},
    "ablations/dino": {"global"},
}
ALONE = {"train", "inference", "vit"}  # vit.yaml has a size of its own, below


def test_no_overlay_is_forgotten():
    assert config_names(BUNDLE) == set(PARTS) | ALONE


@pytest.mark.parametrize("overlay", PARTS)
def test_every_overlay_builds_its_losses_at_the_smoke_size_in_either_order(overlay):
    for order in orders(overlay):
        losses = first_losses(recipe(*order))
        assert set(losses) == {"loss", "told_apart", *PARTS[overlay]}
        assert torch.isfinite(losses["loss"])


def test_dino_sees_crops_of_the_same_size_and_intensities_as_ace():
    ace, dino = recipe("small").get_parsed_content("view"), recipe("small", "ablations/dino").get_parsed_content("view")
    assert dino.size == ace.size == 64
    assert vars(dino.crop.photometric) == vars(ace.photometric)


def test_the_vit_is_the_paper_s():
    encoder = recipe("vit").get_parsed_content("network_def")
    assert (encoder.embed_dim, encoder.token_stride) == (768, 32)
    assert recipe("vit")["overlap_only"] is False
