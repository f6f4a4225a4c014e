"""Every number of SRHRS's recipes against the paper [P] or the released code [C], and every overlay built."""

import pytest
import torch
from monai.bundle import ConfigParser
from recipe_parts import config_names, first_losses, orders, parsed

BUNDLE = "cxr_srhrs"

# id in the recipe -> value, with its source
TRAIN = {
    "size": 224,  # P
    "scales": [0.2, 0.4, 0.6, 0.8, 1.0],  # P, C6
    "tolerance": 0.05,  # P, C6
    "reference": "centre",  # C5
    "locations": "random",  # C22
    "flip": 0.5,  # C
    "view#vertical_flip": 0.0,  # C4
    "view#mirror_targets": True,  # C4
    "rotation": 10.0,  # C3
    "photometric#brightness": 0.2,  # C
    "photometric#contrast": 0.2,
    "photometric#saturation": 0.2,
    "photometric#hue": 0.0,
    "architecture": "resnet50",  # P
    "hidden_dim": 2048,  # C
    "projection_dim": 1024,  # C
    "location_head#hidden_dim": 512,  # C
    "location_weight": 2.0,  # P
    "decomposition_weight": 1.0,  # P
    "symmetric": False,  # C11
    "temperature": 0.2,  # ours, C10
    "location_scale#form": "bce",  # C7
    "epochs": 300,  # P
    "patience": 20,  # C21
    "stop_early#metric": "validation_loss",  # C21
    "batch_size": 32,  # C
    "optimizer#_target_": "torch.optim.Adam",  # P
    "learning_rate": 1e-4,  # P
    "weight_decay": 1e-6,  # P
    "warmup_epochs": 0,
    "momentum#base": 0.99,  # P, C12
    "momentum#final": 0.99,
    "dataset_options": {"val_fraction": 0.2},  # C
    "encoder_file": None,
}
PAPER = TRAIN | {"temperature": 1.0}  # C, the paper is silent
RELEASED = TRAIN | {
    "size": 512,  # C, C12
    "scales": [0.2, 0.4, 0.6, 0.8],  # C, C6
    "tolerance": 0.0,
    "reference": "corner",  # C, C5
    "view#vertical_flip": 0.5,  # C, C4
    "view#mirror_targets": False,
    "rotation": 0.0,  # C
    "photometric#blur": 0.0,
    "temperature": 1.0,  # C, C10
    "epochs": 100,  # C, C12
    "patience": None,
    "weight_decay": 0.0,  # C, C12
    "momentum#base": 0.996,  # C, C12
    "momentum#final": 0.996,
}


def recipe(*overlays: str) -> ConfigParser:
    return parsed(BUNDLE, *overlays)


@pytest.mark.parametrize(("overlay", "table"), [((), TRAIN), (("paper",), PAPER), (("released",), RELEASED)])
def test_every_number_of_the_recipe_is_the_source_s(overlay, table):
    parser = recipe(*overlay)
    assert {key: parser[key] for key in table} == table


def test_rate_decay_and_momentum_are_constant_and_the_optimiser_s():
    parser = recipe()
    for key, value in (("schedules#lr", 1e-4), ("schedules#weight_decay", 1e-6), ("momentum", 0.99)):
        schedule = parser.get_parsed_content(key)
        assert {schedule.value(i, 10, 300) for i in (0, 1, 1500, 2999)} == {value}


ALL = {"contrast", "location_scale", "decomposition"}
PARTS = {  # overlay -> losses; every overlay of the bundle is here
    "small": ALL,
    "smoke": ALL,
    "paper": ALL,
    "released": ALL,
    "multi_gpu": ALL,
    "evaluate": ALL,
    "data/chestxray14_srhrs": ALL,
    "probe/lung_masks": ALL,
    "byol": set(),
    "ablations/cl": {"contrast"},
    "ablations/cl_lsp": {"contrast", "location_scale"},
    "ablations/cl_dp": {"contrast", "decomposition"},
    "ablations/random_3_scales": ALL,
    "ablations/staged": ALL,
}
ALONE = {"train", "inference", "ablations/fixed_staged"}  # the last goes after staged.yaml, below


def test_no_overlay_is_forgotten():
    assert config_names(BUNDLE) == set(PARTS) | ALONE


@pytest.mark.parametrize("overlay", PARTS)
def test_every_overlay_builds_its_losses_at_the_smoke_size_in_either_order(overlay):
    for order in orders(overlay):
        if order == ("smoke", "released"):
            continue  # 512 pixels of a ViT with 8-pixel patches
        losses = first_losses(recipe(*order))
        assert set(losses) == {"loss", *PARTS[overlay]}
        assert torch.isfinite(losses["loss"])


def test_the_method_has_the_paper_s_layers_at_the_paper_s_size():
    method = recipe().get_parsed_content("method")
    encoder, projector, head = method.student.encoder, method.student.projector, method.location_head
    with torch.no_grad():
        assert encoder.tokens(torch.rand(1, 1, 224, 224)).shape == (1, 2048, 7, 7)
    linear = (projector.mlp[0], projector.mlp[3], head[0], head[2])
    widths = [(layer.in_features, layer.out_features) for layer in linear]
    assert widths == [(2048, 2048), (2048, 1024), (1024, 512), (512, 3)]


def test_bins_give_the_head_a_logit_for_each():
    parser = recipe("smoke")
    parser["location_scale#form"] = "bins"
    assert parser.get_parsed_content("method").location_head[2].out_features == 25
    assert torch.isfinite(first_losses(parser)["location_scale"])


def test_byol_sees_the_whole_image_with_the_method_s_size_and_intensities():
    for size in ((), ("small",)):
        ours, theirs = recipe(*size).get_parsed_content("view"), recipe("byol", *size).get_parsed_content("view")
        assert ours.size == theirs.size
        assert theirs.crop.area == (0.2, 1.0)
        assert vars(ours.whole.photometric) == vars(theirs.crop.photometric)


def test_stages_of_table_three_go_from_coarse_to_fine_one_scale_each():
    parser = recipe("ablations/staged", "ablations/fixed_staged")
    assert [stage["scales"] for stage in parser["stages"].values()] == [[1.0], [0.5], [0.25]]
    assert sorted(scale for stage in parser["stages"].values() for scale in stage["scales"]) == parser["scales"]
    assert parser.get_parsed_content("view").locations == "grid"


def test_classification_takes_the_other_part_of_the_same_file():
    other = parsed("image_classification", "data/chestxray14_srhrs")
    own = recipe("data/chestxray14_srhrs")["dataset_options"]
    assert own["split_file"] == other["dataset_options"]["split_file"]
    assert (own["split_part"], other["dataset_options"]["split_part"]) == ("pretraining", "downstream")


@pytest.mark.parametrize(("overlays", "refused"), [((), True), (("released",), True), (("byol",), False)])
def test_a_batch_of_one_is_refused_by_the_checks_that_come_before_training(overlays, refused):
    parser = recipe(*overlays)
    parser["batch_size"] = 1
    parser["checks"] = parser["checks"][1:]  # without the folders
    if not refused:
        parser.get_parsed_content("checks")
        return
    with pytest.raises(Exception, match="InBatchInfoNCE") as error:
        parser.get_parsed_content("checks")
    assert "batch_size x processes is 1" in "".join(map(str, chain(error.value)))


@pytest.mark.parametrize(("device", "refused"), [("cpu", True), ("cuda:0", False)])
def test_processes_share_the_statistics_of_a_batch_on_gpus_alone(monkeypatch, device, refused):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    parser = recipe()
    parser["batch_size"], parser["device"] = 1, f"$torch.device('{device}')"
    if not refused:
        parser.get_parsed_content("contrast")
        return
    with pytest.raises(Exception, match="InBatchInfoNCE") as error:
        parser.get_parsed_content("contrast")
    assert "batch norm sees 1 image at a time" in "".join(map(str, chain(error.value)))
    parser["batch_size"] = 2
    parser.parse(reset=True)
    parser.get_parsed_content("contrast")


def chain(error):
    """An error and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
