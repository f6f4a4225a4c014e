"""Every number of Adam's recipes against the supplement [P] or the released code [C], and every overlay built."""

import math

import pytest
import torch
from monai.bundle import ConfigParser
from recipe_parts import config_names, first_losses, orders, parsed

BUNDLE = "cxr_adam"

# id in the recipe -> value, with its source
TRAIN = {
    "level": 0,  # the first stage, MoCo v2
    "grid": "halving",  # P, B1
    "size": 224,  # P
    "area": [0.2, 1.0],  # C
    "flip": 0.0,  # C, B10
    "rotation": 30,  # C, B10
    "photometric#jitter": 0.8,  # C
    "photometric#brightness": 0.4,
    "photometric#contrast": 0.4,
    "photometric#saturation": 0.4,
    "photometric#hue": 0.1,
    "photometric#blur": 0.5,
    "photometric#blur_sigma": [0.1, 2.0],
    "architecture": "resnet50",  # P
    "network_def#mean": 0.449,  # C: ImageNet's, averaged
    "network_def#std": 0.226,
    "codes": 128,  # C, B19
    "bank_size": 65536,  # C
    "temperature": 0.2,  # C
    "threshold": 0.8,  # P
    "epochs": 200,  # P
    "batch_size": 256,  # P
    "optimizer#_target_": "torch.optim.SGD",  # C
    "optimizer#momentum": 0.9,  # C
    "optimizer#weight_decay": 1e-4,  # C
    "schedules#lr#final": 0.0,  # C
    "schedules#lr#per_epoch": True,  # C
    "momentum#base": 0.999,  # C
    "momentum#final": 0.999,
    "validate#key_metric#validation_loss#_target_": "common.evaluation.MethodLoss",  # C, B8
    "validate#evaluator#metric_cmp_fn": "$common.evaluation.lower_than",
    "checkpoints#keep_best": True,
    "start_anew": [],  # C, B7: the bank is handed over
}
PAPER = TRAIN | {"flip": 0.5, "rotation": 0}  # P: follows MoCo v2, B10
RELEASED = TRAIN | {"grid": "square"}  # C, B1


def recipe(*overlays: str) -> ConfigParser:
    return parsed(BUNDLE, *overlays)


@pytest.mark.parametrize(("overlay", "table"), [((), TRAIN), (("paper",), PAPER), (("released",), RELEASED)])
def test_every_number_of_the_recipe_is_the_source_s(overlay, table):
    parser = recipe(*overlay)
    assert {key: parser[key] for key in table} == table


def test_learning_rate_is_a_cosine_that_steps_once_per_epoch():
    parser = recipe()
    assert parser.get_parsed_content("learning_rate") == pytest.approx(0.03)
    rate = parser.get_parsed_content("schedules#lr")
    for epoch in (0, 1, 50, 199):
        expected = 0.03 * (1 + math.cos(math.pi * epoch / 200)) / 2
        values = {rate.value(epoch * 294 + offset, 294, 200) for offset in (0, 1, 293)}
        assert len(values) == 1 and values.pop() == pytest.approx(expected)


def test_the_key_network_s_momentum_is_constant():
    momentum = recipe().get_parsed_content("momentum")
    assert {momentum.value(iteration, 294, 200) for iteration in (0, 1000, 58799)} == {0.999}


def test_the_curriculum_is_the_paper_s_and_prunes_from_its_second_stage_on():
    stages = recipe("curriculum")["stages"]
    assert [stage["level"] for stage in stages.values()] == [0, 2, 4]  # P
    thresholds = []
    for stage in stages.values():
        parser = recipe()
        parser.update(stage)
        thresholds.append(parser.get_parsed_content("contrast").threshold)
    assert thresholds == [None, 0.8, 0.8]


def test_the_released_grid_differs_beyond_level_4_only_among_even_levels():
    for level in (0, 2, 4, 6):
        views = []
        for overlays in ((), ("released",)):
            parser = recipe(*overlays)
            parser["level"] = level
            views.append(parser.get_parsed_content("view"))
        assert ((views[0].rows, views[0].cols) == (views[1].rows, views[1].cols)) == (level < 5)


@pytest.mark.parametrize(("batch", "message"), [(131072, "more than it holds"), (96, "does not divide")])
def test_a_batch_that_does_not_fit_the_bank_is_refused_when_the_method_is_built(batch, message):
    parser = recipe()
    parser["batch_size"] = batch
    with pytest.raises(RuntimeError, match="MemoryBank") as error:
        parser.get_parsed_content("contrast")
    assert message in str(error.value.__cause__)


def test_the_bank_is_full_before_an_epoch_can_be_the_best():
    for overlays, iterations in (((), 65536 // 256), (("small",), 64 // 32), (("smoke",), 4)):
        parser = recipe(*overlays)
        parser["fill"] = parser["checkpoints#best_after"]
        assert parser.get_parsed_content("fill") == iterations


OVERLAYS = {
    *("small", "smoke", "paper", "released", "multi_gpu", "fundus", "evaluate", "curriculum"),
    *("probe/lung_masks", "ablations/unpruned"),
}


def test_no_overlay_is_forgotten():
    assert config_names(BUNDLE) == OVERLAYS | {"train", "inference"}


@pytest.mark.parametrize("overlay", sorted(OVERLAYS))
def test_every_overlay_builds_its_losses_at_the_smoke_size_in_either_order(overlay):
    for order in orders(overlay):
        parser = recipe(*order)
        parser["size"], parser["batch_size"] = 64, 4  # fundus and multi_gpu have their own
        losses = first_losses(parser)
        assert set(losses) == {"loss", "pruned"}
        assert torch.isfinite(losses["loss"])


def test_the_paper_s_network_is_built():
    parser = recipe()
    parser["bank_size"] = 512
    method = parser.get_parsed_content("method")
    assert method.student.encoder.embed_dim == 2048
    assert [tuple(layer.weight.shape) for layer in method.student.head if hasattr(layer, "weight")] == [
        (2048, 2048),
        (128, 2048),
    ]


def test_fundus_is_colour_at_512_pixels():
    parser = recipe("fundus")
    assert (parser["size"], parser["channels"], parser["dataset"]) == (512, 3, "eyepacs")  # P
