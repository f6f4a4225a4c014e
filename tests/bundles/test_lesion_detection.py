import json
import logging

import numpy as np
import pytest
import torch
from canvas import faults
from ignite.engine import Engine
from monai.data import MetaTensor
from recipe_parts import parsed

from bundles.lesion_detection.scripts.items import box_items
from bundles.lesion_detection.scripts.overlay_figure import overlay_figure
from bundles.lesion_detection.scripts.overlays import LogDetections
from bundles.lesion_detection.scripts.save_boxes import SaveBoxes
from bundles.lesion_detection.scripts.transforms import BoxesToPictured, JoinBoxesd, SelectBoxesd
from common.files import DatasetError
from common.records import Box, Corpus, Record

FINDINGS = ("Mass", "Nodule", "Edema")
MASS, NODULE = Box("Mass", 0.1, 0.2, 0.5, 0.4), Box("Nodule", 0.5, 0.5, 0.75, 1.0)


def corpus(*images, split="train"):
    """Images given as (boxes, labels of Mass, Nodule and Edema)."""
    records = [
        Record(f"/x/{n}.png", str(n), split, "x", labels=labels, boxes=tuple(boxes))
        for n, (boxes, labels) in enumerate(images)
    ]
    return Corpus("x", tuple(records), findings=FINDINGS)


def test_items_hold_boxes_in_pixels_and_fill_up():
    found = box_items(corpus(([MASS, NODULE], (1, 1, 0)), ([], (0, 0, 0))), ["Nodule", "Mass"], 200)
    assert [item["source"] for item in found] == ["/x/0.png", "/x/1.png"]
    np.testing.assert_allclose(found[0]["box"], [[20, 40, 100, 80], [100, 100, 150, 200]], rtol=1e-6)
    assert found[0]["finding"].tolist() == [1, 0]  # the numbers follow `findings`
    assert found[1]["finding"].tolist() == [-1, -1] and found[1]["box"].shape == (2, 4)


def test_boxes_of_several_readers_become_one():
    drawn = [Box("Mass", 0.0, 0.0, 0.2, 0.2), Box("Mass", 0.0, 0.0, 0.2, 0.3), Box("Nodule", 0.0, 0.0, 0.2, 0.2)]
    drawn += [Box("Mass", 0.5, 0.5, 0.7, 0.9)]
    (item,) = box_items(corpus((drawn, (1, 1, 0))), ["Mass", "Nodule"], 100, merge_overlap=0.5)
    np.testing.assert_allclose(item["box"], [[0, 0, 20, 25], [50, 50, 70, 90], [0, 0, 20, 20]], rtol=1e-5)
    assert item["finding"].tolist() == [0, 0, 1]
    (apart,) = box_items(corpus((drawn, (1, 1, 0))), ["Mass", "Nodule"], 100, merge_overlap=0.7)
    assert len(apart["box"]) == 4  # they share two thirds


def test_boxes_of_other_findings_do_not_make_an_image_positive():
    (item,) = box_items(corpus(([MASS, NODULE], (1, 1, 0))), ["Mass"], 100)
    assert item["finding"].tolist() == [0]


def test_an_image_whose_finding_nobody_drew_is_neither_positive_nor_negative(caplog):
    images = [
        ([MASS], (1, 0, 0)),
        ([], (1, 0, 0)),
        ([MASS], (1, 1, 0)),
        ([], (0, 0, 1)),
        ([], None),
        ([], (np.nan, 0, 0)),
    ]
    with caplog.at_level(logging.INFO):
        kept = [item["source"] for item in box_items(corpus(*images), ["Mass", "Nodule"], 100)]
    assert kept == ["/x/0.png", "/x/3.png", "/x/4.png", "/x/5.png"]
    assert "2 of 6 images are left out" in caplog.text and "Nodule: no box" in caplog.text


@pytest.mark.parametrize(
    ("images", "findings", "says"),
    [
        ([([MASS], (1, 0, 0))], ["Mas"], r"boxes of Mass.*not of Mas.*`findings`"),
        ([([], (0, 0, 0))], ["Mass"], "none of the 1 images to train on has a box of Mass"),
    ],
)
def test_findings_that_cannot_be_learned_are_refused(images, findings, says):
    with pytest.raises(DatasetError, match=says):
        box_items(corpus(*images), findings, 100)


def test_a_small_split_without_boxes_may_be_evaluated():
    assert len(box_items(corpus(([], (0, 0, 0)), split="val"), ["Mass"], 100)) == 1


def test_boxes_are_clipped_and_what_is_left_outside_is_none():
    item = {
        "image": torch.zeros(1, 40, 60),
        "box": np.array([[-5, 10, 20, 70], [30, 59.5, 50, 90], [41, 0, 50, 10], [0, 0, 40, 60]], np.float32),
        "finding": np.array([1, 0, 0, -1]),
        "box_transforms": [],
        "source": "a",
    }
    joined = JoinBoxesd()(item)
    assert joined["label"].tolist() == [
        [0, 10, 20, 60, 1],
        [30, 59.5, 40, 60, -1],
        [40, 0, 40, 10, -1],
        [0, 0, 40, 60, -1],
    ]
    assert set(joined) == {"image", "label", "source"}


@pytest.mark.parametrize("seed", range(6))
def test_augmentation_moves_boxes_with_what_they_enclose(seed):
    """A bright rectangle on black stays what its box encloses, however the recipe moves it."""
    recipe = parsed("lesion_detection")
    transforms = recipe.get_parsed_content("augmentation")
    join = recipe.get_parsed_content("plain_tensors")
    image = torch.zeros(1, 120, 120)
    image[:, 30:60, 70:90] = 1.0
    item = {"image": image, "box": np.array([[30, 70, 60, 90]], np.float32), "finding": np.array([0])}
    for number, transform in enumerate(transforms[:2]):  # flip and zoom; the third is photometric
        item = transform.set_random_state(seed * 10 + number)(item)
    top, left, bottom, right, finding = join(item)["label"][0].tolist()
    bright = (item["image"][0] > 0.5).nonzero()
    assert finding == 0
    assert [top, left] == pytest.approx(bright.min(0).values.tolist(), abs=1.5)
    assert [bottom, right] == pytest.approx((bright.max(0).values + 1).tolist(), abs=1.5)


def test_selection_leaves_out_what_overlaps_a_more_certain_box_of_its_finding():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9], [-5, 50, 20, 90], [30, 30, 40, 40]])
    logits = torch.tensor([[3.0, -9], [2.0, -9], [-9, 1.0], [0.5, -9], [-9, -9]])
    chosen = SelectBoxesd("pred", 64, score=0.05)({"pred": torch.cat([boxes.T, logits.T])})["pred"]
    assert chosen[:, :4].tolist() == [[0, 0, 10, 10], [0, 0, 10, 9], [0, 50, 20, 64]]
    assert chosen[:, 5].tolist() == [0, 1, 0]
    torch.testing.assert_close(chosen[:, 4], torch.tensor([3.0, 1.0, 0.5]).sigmoid())
    assert SelectBoxesd("pred", 64, score=0.99)({"pred": torch.cat([boxes.T, logits.T])})["pred"].shape == (0, 6)


def test_boxes_go_back_to_the_picture_s_own_pixels():
    from monai.transforms import Resized

    image = Resized("image", (64, 64))({"image": MetaTensor(torch.zeros(1, 128, 32))})["image"]
    rows = torch.tensor([[8.0, 16, 32, 48, 0.9, 1]])
    assert BoxesToPictured("pred")({"image": image, "pred": rows})["pred"].tolist() == [[16, 8, 64, 24, rows[0, 4], 1]]
    with pytest.raises(ValueError, match="meta data"):
        BoxesToPictured("pred")({"image": MetaTensor(torch.zeros(1, 64, 64)), "pred": rows})


def test_the_file_for_clients_has_an_entry_for_each_image(tmp_path, capsys):
    outputs = [torch.tensor([[1.0, 2, 30.456, 4, 0.9, 1], [1, 2, 3, 4, 0.04, 0]]), torch.zeros(0, 6)]
    engine = Engine(lambda engine, batch: [{"pred": outputs[int(batch[0]["source"])]}])
    SaveBoxes(str(tmp_path / "new" / "boxes.json"), ["Mass", "Nodule"]).attach(engine)
    engine.run([[{"source": "0"}], [{"source": "1"}]])
    box = {"finding": "Nodule", "score": 0.9, "top": 1.0, "left": 2.0, "bottom": 30.46, "right": 4.0}
    assert json.loads((tmp_path / "new" / "boxes.json").read_text()) == [
        {"image": "0", "boxes": [box]},
        {"image": "1", "boxes": []},
    ]
    assert "1 boxes of Mass, Nodule in 2 images" in capsys.readouterr().out


def test_where_nothing_is_found_the_highest_score_is_said(tmp_path, capsys):
    engine = Engine(lambda engine, batch: [{"pred": torch.tensor([[1.0, 2, 3, 4, 0.0412, 0]])}])
    SaveBoxes(str(tmp_path / "boxes.json"), ["Mass"]).attach(engine)
    engine.run([[{"source": "0"}]])
    assert "None has a score of 0.05 or more; the highest is 0.041." in capsys.readouterr().out


def picture(*detections, source="/x/a.png", finding=0.0):
    label = torch.tensor([[10.0, 20, 30, 60, finding], [0, 0, 80, 80, -1]])
    return {
        "image": torch.rand(1, 80, 80),
        "label": label,
        "pred": torch.tensor(detections).reshape(-1, 6),
        "source": source,
    }


FOUND, MISSED = [10.0, 20, 30, 58, 0.7, 0], [40.0, 20, 70, 60, 0.9, 0]


def test_an_image_is_judged_by_how_certainly_its_boxes_are_found():
    log = LogDetections(["Mass", "Nodule"], None)
    assert log.score(picture(MISSED, FOUND)) == pytest.approx(0.7)
    assert log.score(picture(MISSED)) == 0
    assert log.score(picture(FOUND, finding=1.0)) == 0
    assert np.isnan(log.score(picture(FOUND, finding=-1.0)))


def test_boxes_are_drawn_where_they_are_and_all_is_on_the_page():
    long = picture(MISSED, FOUND, source="/x/" + "b" * 60 + ".png", finding=1.0)
    figure = overlay_figure({"worst": [picture(FOUND), long], "best": [long]}, ["Mass", "Nodule"], "test split")
    detected, truth = (patch.get_bbox().extents.tolist() for patch in figure.axes[0].patches)
    assert detected == [19.5, 9.5, 57.5, 29.5] and truth == [19.5, 9.5, 59.5, 29.5]  # x, y
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.70"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["truth", "Mass, detected"]  # nothing was detected as the other one
    assert figure.axes[1].get_xlabel().endswith("Nodule")
    assert faults(figure) == []


PAPER = {  # LeADER's supplement, transfer
    "image_size": 224,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "optimizer#_target_": "torch.optim.SGD",
    "schedules#lr#_target_": "common.engines.Cosine",
    "schedules#lr#final": 0.0,
    "architecture": "$None if @encoder_file else 'swin_base_patch4_window7_224'",
    "dataset": "rsna_pneumonia",
}


def test_the_papers_numbers():
    recipe = parsed("lesion_detection", "data/rsna_pneumonia", "paper")
    assert {name: recipe.get(name.replace("#", "::")) for name in PAPER} == PAPER


@pytest.mark.parametrize(
    ("overlays", "smallest", "largest"), [((), 32, 256), (("paper",), 16, 128), (("small",), 16, 128)]
)
def test_anchors_have_the_sides_that_the_recipe_says(overlays, smallest, largest):
    recipe = parsed("lesion_detection", *overlays)
    recipe.update({"architecture": "resnet18", "encoder_options": None, "network_def#encoder#drop_path": 0.0})
    anchors = recipe.get_parsed_content("network_def").anchors
    sides = anchors[:, 2] - anchors[:, 0]
    assert (sides.min(), sides.max()) == (smallest, largest)
