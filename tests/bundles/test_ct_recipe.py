"""Every number of the CT recipes against the paper [P] (methods, section 5), for each backbone."""

import pytest
from recipe_parts import parsed

BUNDLE = "ct_diagnosis_classification"
CHEST = {
    "spacing": [3.0, 1.5, 1.5],  # P
    "window": [-1000, 200],  # P
    "frame": [120, 240, 240],  # P, 240 x 240 x 120 as H, W, D
    "crop_size": [96, 192, 192],  # P
    "epochs": 20,  # P
    "optimizer#weight_decay": 1e-4,  # P
    "schedules#lr#final": 0.0,
    "train#trainer#clip#max_norm": 5.0,  # P
    "train#trainer#clip#mode": "global",  # P
    "loss_function#weight": 1.0,  # P
    "segmentation_loss#cross_entropy_weight": 1.0,  # P
    "segmentation_loss#dice_weight": 0.0,
    "segment": True,
}
ABDOMEN = CHEST | {
    "window": [-150, 250],  # P
    "frame": [192, 256, 256],  # P, 256 x 256 x 192
    "crop_size": [160, 176, 192],  # P, 176 x 192 x 160
    "epochs": 100,  # P
    "structures": ["liver", "spleen", "kidney_left", "kidney_right", "bowel"],  # P
    "diagnosis_loss#binary": {"bowel": 2.0, "extravasation": 6.0},  # P
    "diagnosis_loss#graded": {organ: [1.0, 2.0, 4.0] for organ in ("liver", "spleen", "kidney")},  # P
    "diagnosis_loss#any_weight": 6.0,  # P
    "diagnosis_loss#any_share": 0.1,  # P, lambda
}
# batch and learning rate of the chest and of the abdomen [P]; R3D-18's rate of the abdomen is ours (E4)
BY_BACKBONE = {
    "r3d_18": (10, 1e-4, 5, 1e-4),
    "mvit_v2_s": (4, 1e-4, 2, 1e-5),
    "swin3d_t": (6, 5e-5, 2, 1e-5),
}


@pytest.mark.parametrize(("overlays", "numbers"), [((), CHEST), (("data/ratic",), ABDOMEN)])
def test_numbers_are_the_papers(overlays, numbers):
    parser = parsed(BUNDLE, *overlays)
    for key, value in numbers.items():
        assert parser[key] == value, key


def test_the_shares_of_both_tasks_are_followed_on_demand():
    parser = parsed(BUNDLE)
    assert "@shares," in parser["train#trainer#train_handlers"]
    assert parser["shares#every"] == "@gradient_share_interval" and parser["gradient_share_interval"] is None


@pytest.mark.parametrize("architecture", BY_BACKBONE)
def test_batch_and_learning_rate_follow_the_backbone(architecture):
    numbers = BY_BACKBONE[architecture]
    for overlays, (batch, rate) in (((), numbers[:2]), (("data/ratic",), numbers[2:])):
        parser = parsed(BUNDLE, *overlays)
        parser["architecture"] = architecture
        assert parser.get_parsed_content("batch_size") == batch
        assert parser.get_parsed_content("learning_rate") == rate


def test_eighteen_labels_and_seven_classes_of_the_chest():
    parser = parsed(BUNDLE)
    assert len(parser["findings"]) == 18 and len(parser["structures"]) == 6  # and background
    assert len(parsed(BUNDLE, "data/rad_chestct")["findings"]) == 16
