"""Numbers of the transfer recipes against the supplements [P] and released code [C]; what none says is not here."""

import pytest
import torch
from recipe_parts import parsed

from common.records import Corpus, Record

# (bundle, overlays) -> id in the recipe -> value
ACE = {
    "learning_rate": 1e-4,
    "warmup_epochs": 20,
    "batch_size": 32,
    "image_size": 448,
    "train#trainer#clip#max_norm": 5.0,
}
ACE |= {"optimizer#_target_": "torch.optim.AdamW", "optimizer#weight_decay": 0.05, "schedules#lr#final": 5e-6}
ACE |= {"schedules#lr#warmup_from": 5e-7}
ADAM = {"architecture": "resnet50", "image_size": 224, "schedules#lr#final": 0.0}
LEADER = {"image_size": 224, "batch_size": 32, "optimizer#_target_": "torch.optim.SGD", "schedules#lr#final": 0.0}
SRHRS = {"architecture": "resnet50", "image_size": 224}
TABLE = {
    ("image_classification",): ACE
    | {"epochs": 150, "augmentation#1#prob": 0.5, "augmentation#2#range_x": 0.122}
    | {"resize_to": 512, "patience": 10, "augmentation#0#area": [0.08, 1.0]},
    ("image_classification", "recipes/leader"): LEADER | {"learning_rate": 1e-2},
    ("image_classification", "recipes/adam"): ADAM
    | {"learning_rate": 2.5e-4, "optimizer#_target_": "torch.optim.AdamW", "optimizer#weight_decay": 0.05}
    | {"optimizer#betas": [0.9, 0.95], "augmentation#1#prob": 0.5, "augmentation#2#range_x": 0.122}
    | {"resize_to": 256, "patience": 10},
    ("image_classification", "recipes/srhrs"): SRHRS
    | {"augmentation#0#area": [0.7, 1.0], "augmentation#1#prob": 0.5, "augmentation#1#spatial_axis": 1}
    | {"augmentation#3#brightness": 0.2, "augmentation#3#contrast": 0.2},
    ("image_segmentation",): ACE
    | {"epochs": 500, "decoder": "upernet", "patience": 50}
    | {"augmentation#0#weights": [0.7, 0.1, 0.1, 0.1], "augmentation#1#weights": [0.7, 0.1, 0.1, 0.1]}
    | {"augmentation#1#transforms#3#strength": [-2.0, 2.0], "augmentation#1#transforms#3#shift": 0.5}
    | {"augmentation#2#prob": 0.25},
    ("image_segmentation", "recipes/leader"): LEADER | {"learning_rate": 1e-3, "decoder": "upernet"},
    ("image_segmentation", "recipes/adam"): ADAM
    | {"learning_rate": 2e-4, "optimizer#_target_": "torch.optim.AdamW", "decoder": "unet"}
    | {"epochs": 200, "patience": 20, "loss_function#dice_weight": 1.0, "loss_function#bce_weight": 0.0},
    ("image_segmentation", "recipes/adam", "recipes/adam_ribs"): ADAM
    | {"learning_rate": 1e-3, "optimizer#_target_": "torch.optim.Adam", "decoder": "unet"},
    ("image_segmentation", "recipes/adam", "recipes/adam_vessels"): ADAM
    | {"image_size": 512, "channels": 3, "loss_function#dice_weight": 0.0, "loss_function#bce_weight": 1.0},
    ("image_segmentation", "recipes/srhrs"): SRHRS
    | {"decoder": "unet", "augmentation#0#area": [0.7, 1.0]}
    | {"augmentation#2#brightness": 0.2, "augmentation#2#contrast": 0.2},
}


SHARES = {  # (bundle, data set) -> shares to train, validate and test on
    ("image_classification", "eyepacs"): (0.8, 0.1, 0.1),
    ("image_classification", "covid_radiography"): (0.6, 0.2, 0.2),
    ("image_classification", "sxpco"): (0.6, 0.2, 0.2),
    ("image_segmentation", "montgomery"): (0.6, 0.2, 0.2),
    ("image_segmentation", "siim_acr"): (0.72, 0.08, 0.2),
}


@pytest.mark.parametrize("case", SHARES, ids=" ".join)
def test_shares_of_a_drawn_split_are_the_source_s(case):
    options = parsed(case[0], f"data/{case[1]}")["dataset_options"]
    rest = 1 - options["test_fraction"]
    found = (rest * (1 - options["val_fraction"]), rest * options["val_fraction"], options["test_fraction"])
    assert found == pytest.approx(SHARES[case], abs=1e-3)


@pytest.mark.parametrize("case", TABLE, ids=" ".join)
def test_every_number_is_the_source_s(case):
    parser = parsed(*case)
    found = {key: parser.get_parsed_content(key) if "#_target_" not in key else parser[key] for key in TABLE[case]}
    assert found == TABLE[case]


PARTS = {
    "image_classification": ["RandResizedCropd", "RandFlipd", "RandRotated"],
    "image_segmentation": ["RandResizedCropd", "RandRotated"],  # no flip: a mirrored image's left lung is on the right
}


@pytest.mark.parametrize("bundle", PARTS)
def test_srhrs_transfers_with_the_changes_of_its_views(bundle):
    """Crop, flip, rotation, jitter and blur; the crop is always taken, and an image keeps its size and its mask."""
    augmentation = parsed(bundle, "recipes/srhrs").get_parsed_content("augmentation")
    names = [type(transform).__name__ for transform in augmentation]
    assert names == [*PARTS[bundle], "RandBrightnessContrastd", "RandGaussianSmoothd"]
    image = torch.rand(1, 224, 224, generator=torch.Generator().manual_seed(0))
    item = {"image": image, "label": (image > 0.5).float()}
    for transform in augmentation:
        item = transform(item)
    assert item["image"].shape == image.shape and item["image"].min() >= 0 and item["image"].max() <= 1
    assert set(item["label"].unique().tolist()) <= {0.0, 1.0}


FEW = {
    "image_classification": ({"labels": (1.0,)}, {"findings": ["Mass"]}),
    "image_segmentation": ({"masks": {"Mass": "/x.png"}}, {"structures": ["Mass"]}),
    "landmark_detection": ({"landmarks": {"Mass": (0.5, 0.5)}}, {"landmarks": ["Mass"]}),
}


@pytest.mark.parametrize("bundle", FEW)
def test_few_labels_are_counted_in_images_that_have_one(bundle):
    """As in EyePACS, most of whose training images have no grade: 12 labels are 12, and 30 % are of the 40."""
    facts, names = FEW[bundle]
    records = [Record(f"/{n}.png", f"p{n}", "train", "x", **({} if n % 3 else facts)) for n in range(120)]
    known = {"findings": ("Mass",), "structures": ("Mass",), "landmarks": ("Mass",)}
    parser = parsed(bundle)
    parser.update({"corpus": Corpus("x", tuple(records), **known), **names})
    for share, count in (({"label_limit": 12}, 12), ({"label_limit": None, "label_fraction": 0.3}, 12)):
        parser.update(share)
        items = parser.get_parsed_content("train#items")
        assert len(items) == count and all(int(item["source"][1:-4]) % 3 == 0 for item in items)
    drawn = {}
    for draw in (99, 0, 1):  # 99 is the papers' own
        parser.update({"label_fraction": None, "label_limit": 12, "label_seed": draw})
        drawn[draw] = {item["source"] for item in parser.get_parsed_content("train#items")}
    assert len(set(map(frozenset, drawn.values()))) == 3 and all(len(found) == 12 for found in drawn.values())


def test_grades_of_retinopathy_have_their_kappa():
    """ACE's table has it: the metric, and not the key alone."""
    report = parsed("image_classification", "data/eyepacs").get_parsed_content("report")
    grades = torch.eye(5)[torch.arange(10) % 5]
    report.update((grades, grades))
    assert report.compute()["quadratic_kappa"] == 1
