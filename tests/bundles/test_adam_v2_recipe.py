"""Every number of Adam v2's recipes against the released code's summary [C], DINO [D], and every overlay built."""

import pytest
import torch
from monai.bundle import ConfigParser
from recipe_parts import config_names, first_losses, orders, parsed

BUNDLE = "cxr_adam_v2"

# id in the recipe -> value, with its source
TRAIN = {
    "view#size": 224,  # C
    "view#part_size": 224,  # C: whole and quarters, all 224
    "view#local_crops": 8,  # C: 2 global + 8 local
    "view#margin": 50,  # C
    "view#local_size": 96,  # D
    "view#global_area": [0.4, 1.0],  # D
    "view#local_area": [0.05, 0.4],  # D
    "granularity": 0,  # C, of the first stage
    "codes": 65536,  # D
    "method#weights": [1.0, 1.0, 1.0],  # C
    "localisation#student_temperature": 0.1,  # C
    "localisation#teacher_temperature": 0.04,  # C
    "localisation#centre_momentum": 0.9,  # D
    "decomposition#joint": False,  # 8.6
    "epochs": 200,  # C, of the first stage
    "batch_size": 64,  # C: 64 x 8
    "warmup_epochs": 10,  # D
    "schedules#lr#final": 1e-6,  # D
    "schedules#weight_decay#base": 0.04,  # C
    "schedules#weight_decay#final": 0.4,  # C
    "momentum#base": 0.996,  # C
    "momentum#final": 1.0,  # C
    "train#trainer#clip#max_norm": 3.0,  # C
    "train#trainer#clip#mode": "per_tensor",  # C
}
RELEASED = TRAIN | {"decomposition#joint": True}  # 8.6
STAGES = {  # name -> granularity, epochs, with composition and decomposition; C
    "l0": (0, 200, False),
    "l1": (1, 200, False),
    "l2": (2, 100, False),
    "lcd0": (0, 10, True),
    "lcd1": (1, 90, True),
    "lcd2": (2, 165, True),
}


def recipe(*overlays: str) -> ConfigParser:
    return parsed(BUNDLE, *overlays)


@pytest.mark.parametrize(("overlay", "table"), [((), TRAIN), (("released",), RELEASED)])
def test_every_number_of_the_recipe_is_the_source_s(overlay, table):
    parser = recipe(*overlay)
    assert {key: parser[key] for key in table} == table


def test_learning_rate_is_scaled_by_the_global_batch():
    parser = recipe()
    assert parser.get_parsed_content("learning_rate") == pytest.approx(5e-4 * 64 / 256)
    parser = recipe()
    parser["effective_batch"] = 512  # the release's 64 images on 8 GPUs
    assert parser.get_parsed_content("learning_rate") == pytest.approx(1e-3)


def test_the_curriculum_has_the_release_s_stages_in_their_order():
    stages = recipe("curriculum")["stages"]
    assert list(stages) == list(STAGES)
    for name, (granularity, epochs, parts) in STAGES.items():
        disabled = [stages[name].get(f"{loss}#_disabled_", False) for loss in ("composition", "decomposition")]
        assert (stages[name]["granularity"], stages[name]["epochs"]) == (granularity, epochs)
        assert disabled == [not parts] * 2
    # only the first stage with composer and decomposer begins without them
    assert {name for name in stages if "start_anew" in stages[name]} == {"lcd0"}


def test_the_small_curriculum_has_the_same_stages_and_the_small_preset_s_epochs():
    stages, small = recipe("curriculum")["stages"], recipe("small", "small_curriculum")["stages"]
    assert {name: values | {"epochs": 5} for name, values in stages.items()} == small
    assert list(small) == list(stages)
    assert sum(values["epochs"] for values in small.values()) == recipe("small")["epochs"]


ALL = {"localisation", "composition", "decomposition"}
PARTS = {  # overlay -> losses; every overlay of the bundle is here
    "small": ALL,
    "smoke": ALL,
    "released": ALL,
    "curriculum": ALL,
    "small_curriculum": ALL,
    "multi_gpu": ALL,
    "fundus": ALL,
    "evaluate": ALL,
    "probe/lung_masks": ALL,
    "ablations/localisation_only": {"localisation"},
    "ablations/composition_only": {"localisation", "composition"},
    "ablations/decomposition_only": {"localisation", "decomposition"},
    "ablations/summed": ALL,
}
ALONE = {"train", "inference"}


def test_no_overlay_is_forgotten():
    assert config_names(BUNDLE) == set(PARTS) | ALONE


@pytest.mark.parametrize("overlay", PARTS)
def test_every_overlay_builds_its_losses_at_the_smoke_size_in_either_order(overlay):
    for order in orders(overlay):
        losses = first_losses(recipe(*order))
        assert set(losses) == {"loss", *PARTS[overlay]}
        assert torch.isfinite(losses["loss"])


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_sees_its_granularity_and_the_crops_of_its_losses(stage):
    parser = recipe("smoke", "curriculum")
    for key, value in dict(parser["stages"][stage]).items():
        parser[key] = value
    view = parser.get_parsed_content("view")
    assert view.granularity == STAGES[stage][0]
    assert ("whole" in view.crops) == STAGES[stage][2]
    assert set(first_losses(parser)) == {"loss", *(ALL if STAGES[stage][2] else ["localisation"])}


def test_summed_errors_are_the_sum_over_channels():
    plain, summed = (first_losses(recipe("smoke", *more)) for more in ((), ("ablations/summed",)))
    torch.testing.assert_close(
        summed["loss"] - summed["localisation"], 48 * (summed["composition"] + summed["decomposition"])
    )
    torch.testing.assert_close(plain["loss"], sum(plain[name] for name in ALL))
