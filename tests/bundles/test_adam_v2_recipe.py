"""Every number of Adam v2's recipes against the released code's summary [C], DINO [D], and every overlay built."""

import itertools
import math

import pytest
import torch
from monai.bundle import ConfigParser
from recipe_parts import config_names, first_losses, orders, parsed

BUNDLE = "cxr_adam_v2"

# id in the recipe -> value, with its source
TRAIN = {
    "size": 224,  # C
    "part_size": 224,  # C: whole and quarters, all 224
    "local_size": 96,  # C of LCD, D of L
    "global_area": [0.8, 1.0],  # C
    "localisation_view#local_crops": 8,  # C: 2 global + 8 local
    "localisation_view#local_area": [0.05, 0.4],  # C
    "localisation_view#rotation": 30.0,  # C
    "part_whole_view#local_areas": [[0.05, 0.1], *([n / 10, (n + 1) / 10] for n in range(1, 8))],  # C
    "part_whole_view#margin": 50,  # C
    "part_whole_view#rotation": 10.0,  # C
    "architecture": "resnet50",  # C
    "codes": 65536,  # D
    "method#weights": [1.0, 1.0, 1.0],  # C
    "localisation#student_temperature": 0.1,  # C
    "localisation#teacher_temperature": 0.04,  # C
    "localisation#centre_momentum": 0.9,  # D
    "decomposition#joint": False,  # 8.6
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
STAGES = {  # name -> epochs of granularity 0, 1, 2, with composition and decomposition; C
    "l": ([200, 200, 100], False),
    "lcd": ([10, 90, 165], True),
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


def staged(stage: str, *overlays: str) -> ConfigParser:
    """The recipe as a stage of a curriculum sees it."""
    parser = recipe(*overlays)
    for key, value in dict(parser["stages"][stage]).items():
        parser[key] = value
    return parser


def test_the_curriculum_has_the_release_s_stages_in_their_order():
    stages = recipe("curriculum")["stages"]
    assert list(stages) == list(STAGES)
    for name, (epochs, parts) in STAGES.items():
        parser = staged(name, "curriculum")
        assert parser.get_parsed_content("granularity_epochs") == epochs
        assert parser.get_parsed_content("epochs") == sum(epochs)
        disabled = [stages[name].get(f"{loss}#_disabled_", False) for loss in ("composition", "decomposition")]
        assert disabled == [not parts] * 2
    # only the stage with composer and decomposer begins without them
    assert {name for name in stages if "start_anew" in stages[name]} == {"lcd"}


@pytest.mark.parametrize(("stage", "total"), [("l", 500), ("lcd", 265)])
def test_one_schedule_goes_over_all_granularities_of_a_stage(stage, total):
    """At the border of two granularities nothing begins anew: half a cosine over all epochs of the stage, by hand."""
    parser = staged(stage, "curriculum")
    epochs, steps = parser.get_parsed_content("epochs"), 7
    assert epochs == total
    for name, begin, end in (("schedules#weight_decay", 0.04, 0.4), ("momentum", 0.996, 1.0)):
        schedule = parser.get_parsed_content(name)
        for border in itertools.accumulate(STAGES[stage][0][:2]):
            for iteration in (border * steps - 1, border * steps):
                cosine = math.cos(math.pi * iteration / (total * steps))
                expected = end + (begin - end) * (1 + cosine) / 2
                assert schedule.value(iteration, steps, epochs) == pytest.approx(expected)


def test_the_small_curriculum_has_the_same_stages_and_the_small_preset_s_epochs():
    stages, small = recipe("curriculum")["stages"], recipe("small", "small_curriculum")["stages"]
    plans = {name: values.pop("granularity_epochs") for name, values in small.items()}
    assert stages == small
    assert sum(map(sum, plans.values())) == recipe("small").get_parsed_content("epochs") == 12
    assert all(len(plan) == 3 and min(plan) > 0 for plan in plans.values())


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
        assert set(losses) == {"loss", "told_apart", *PARTS[overlay]}
        assert torch.isfinite(losses["loss"])


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_sees_the_crops_of_its_losses(stage):
    parser = staged(stage, "smoke", "curriculum")
    view = parser.get_parsed_content("view")
    assert ("whole" in view.crops) == STAGES[stage][1]
    assert view.finest == 1  # the smoke preset's
    assert set(first_losses(parser)) == {"loss", "told_apart", *(ALL if STAGES[stage][1] else ["localisation"])}


def test_summed_errors_are_the_sum_over_channels():
    plain, summed = (first_losses(recipe("smoke", *more)) for more in ((), ("ablations/summed",)))
    torch.testing.assert_close(
        summed["loss"] - summed["localisation"], 48 * (summed["composition"] + summed["decomposition"])
    )
    torch.testing.assert_close(plain["loss"], sum(plain[name] for name in ALL))
