import json
import math
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from canvas import faults
from PIL import Image

from bundles.lesion_localization.scripts.cases import Case, find_cases, read_square
from bundles.lesion_localization.scripts.classifiers import load_classifiers
from bundles.lesion_localization.scripts.heat_map_figure import heat_map_figure, median_case
from bundles.lesion_localization.scripts.heat_maps import HeatMaps, min_max, target_layer
from bundles.lesion_localization.scripts.localize import Localize
from bundles.lesion_localization.scripts.numbers import Scored, summary
from bundles.lesion_localization.scripts.scores import energy_inside, overlap, points_inside, rectangle
from common.engines import CheckpointError
from common.evaluation import KeepBest
from common.files import DatasetError
from common.networks import Classifier, build_encoder
from common.records import Box, Corpus, Record

SWIN = {"window_size": 4, "depths": [1, 1, 1, 1], "embed_dim": 16, "num_heads": [1, 2, 2, 4]}
VIT = {"patch_size": 8, "depth": 2, "embed_dim": 48, "num_heads": 3}
SMALL = {
    "swin": ("swin_tiny_patch4_window7_224", 128, SWIN, "encoder.body.layers.3.blocks.0.norm2"),
    "vit": ("vit_tiny_patch16_224", 64, VIT, "encoder.body.blocks.1.norm1"),
    "resnet": ("resnet18", 64, {}, "encoder.body.layer4.1"),
}


def classifier(family, outputs=2):
    torch.manual_seed(0)
    architecture, size, options, _ = SMALL[family]
    network = Classifier(build_encoder(architecture, 1, size, options=options), outputs).eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    return network


def grad_cam_by_hand(network, images, output, layer):
    """Grad-CAM's formula with plain hooks and `autograd.grad`."""
    kept = {}
    handle = network.get_submodule(layer).register_forward_hook(lambda *it: kept.update(value=it[2]))
    score = network(images)[:, output].sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept["value"])
    activation = kept["value"]
    if activation.ndim == 3:  # tokens: the last ones are places, row by row
        stride = network.encoder.token_stride
        rows, columns = images.shape[-2] // stride, images.shape[-1] // stride
        activation, gradient = (
            part[:, -rows * columns :].reshape(len(part), rows, columns, -1).permute(0, 3, 1, 2)
            for part in (activation, gradient)
        )
    return torch.relu((gradient.mean((2, 3), keepdim=True) * activation).sum(1)).detach()


@pytest.mark.parametrize("family", SMALL)
def test_maps_are_grad_cam_of_the_papers_layer(family):
    network, layer = classifier(family), SMALL[family][3]
    assert target_layer(network.encoder) == layer
    side = SMALL[family][1]
    images = torch.rand(2, 1, side, side)
    for output in (0, 1):
        small = grad_cam_by_hand(network, images, output, layer)
        expected = torch.nn.functional.interpolate(small[:, None], size=(side, side), mode="bilinear")[:, 0]
        found = HeatMaps(network)(images, output)
        torch.testing.assert_close(found, min_max(expected), atol=1e-4, rtol=1e-3)
        assert torch.equal(found.amax((1, 2)), (expected.amax((1, 2)) > 0).float())  # a map of zeros stays one


def test_a_map_shows_where_the_evidence_is_by_row_and_column():
    """A network whose logit is how bright the image is: its map is highest on the one bright patch."""
    network = classifier("resnet", 1)
    images = torch.zeros(1, 1, 64, 64)
    images[..., 32:, :32] = 1.0
    layer = network.get_submodule(target_layer(network.encoder))
    layer.forward = lambda x: torch.nn.functional.adaptive_avg_pool2d(images, (2, 2)).repeat(1, 512, 1, 1) + 0 * x
    torch.nn.init.ones_(network.head.weight)
    found = HeatMaps(network)(images, 0)[0]
    row, col = divmod(int(found.argmax()), 64)
    assert row >= 32 and col < 32


def heat(*points, size=(10, 20)):
    image = np.zeros(size, np.float32)
    for row, col, value in points:
        image[row, col] = value
    return image


def test_the_pointing_game_asks_for_the_highest_pixel():
    box = (2.0, 3.0, 5.0, 8.0)
    assert points_inside(heat((2, 3, 1.0)), box) and points_inside(heat((4, 7, 1.0), (9, 9, 0.9)), box)
    assert not points_inside(heat((5, 3, 1.0), (3, 4, 0.9)), box)  # the end is exclusive
    assert not points_inside(heat((3, 2, 1.0)), box) and not points_inside(heat(), box)
    assert points_inside(heat((9, 9, 1.0), (3, 4, 1.0)), box)  # one of two equal ones


def test_energy_is_the_share_of_the_map_in_the_box():
    image = heat((2, 3, 0.5), (4, 7, 0.25), (9, 19, 0.25))
    assert energy_inside(image, (2, 3, 5, 8)) == pytest.approx(0.75)
    assert energy_inside(image, (0, 0, 10, 20)) == 1
    assert math.isnan(energy_inside(heat(), (0, 0, 5, 5)))


def test_the_rectangle_is_around_the_largest_part_above_the_cut():
    image = np.zeros((12, 20), np.float32)
    image[1:3, 2:9] = 0.5  # 14 pixels
    image[3, 9] = 0.5  # touches it by a corner
    image[7:10, 12:16] = 1.0  # 12 pixels, though higher
    image[0, 0] = 0.31  # above 80 / 255 is 0.3137
    image[0, 19] = 1.0  # the first part, and the smallest
    assert rectangle(image) == (1, 2, 4, 10)
    assert rectangle(image, 0.6) == (7, 12, 10, 16)
    assert rectangle(np.zeros((4, 4), np.float32)) is None


def test_overlap_of_rectangles():
    assert overlap((0, 0, 4, 4), (0, 2, 4, 6)) == pytest.approx(8 / 24)
    assert overlap((0, 0, 4, 4), (0, 0, 4, 4)) == 1
    assert overlap((0, 0, 4, 4), (4, 0, 8, 4)) == 0 and overlap(None, (0, 0, 1, 1)) == 0


def case(source, finding, patient=None):
    return Case(source, patient or source, finding, (0.1, 0.1, 0.5, 0.5))


def test_every_box_counts_and_findings_count_alike():
    """Three boxes of one finding, two of them in one image, and one of another: A39 is not repeated."""
    cases = [case("a", "Mass"), case("a", "Mass"), case("b", "Mass"), case("b", "Nodule")]
    scored = [Scored(*it) for it in ((True, 0.6, 0.5, True), (False, 0.3, 0.1, True), (False, 0.0, math.nan, False))]
    mean, rows = summary(cases, [*scored, Scored(True, 0.1, 0.9, True)], ["Mass", "Nodule"], resamples=200, seed=0)
    assert [(row["finding"], row["boxes"], row["images"], row["empty_maps"]) for row in rows] == [
        ("Mass", 3, 2, 1),
        ("Nodule", 1, 1, 0),
    ]
    assert rows[0]["pointing"] == pytest.approx(1 / 3) and rows[1]["pointing"] == 1
    assert mean["pointing"] == pytest.approx((1 / 3 + 1) / 2) and (mean["boxes"], mean["images"]) == (4, 2)
    assert rows[0]["iou"] == pytest.approx(0.3) and rows[0]["energy"] == pytest.approx(0.3)
    assert [rows[0][f"iou_from_{it:g}"] for it in (0.1, 0.3, 0.5, 0.7)] == pytest.approx([2 / 3, 2 / 3, 1 / 3, 0])
    assert 0 <= mean["pointing_low"] <= mean["pointing"] <= mean["pointing_high"] <= 1


def test_the_mean_is_of_draws_that_have_a_box_of_every_finding():
    """Two patients: the draws of one alone lack a finding, and half are of both, whose mean never changes."""
    cases = [case("a", "Mass"), case("b", "Nodule")]
    scored = [Scored(True, 0.8, 0.5, True), Scored(False, 0.0, math.nan, False)]
    mean, rows = summary(cases, scored, ["Mass", "Nodule"], resamples=200, seed=0)
    assert (mean["pointing_low"], mean["pointing"], mean["pointing_high"]) == (0.5, 0.5, 0.5)
    draws = np.random.default_rng(0).integers(2, size=(200, 2))
    assert mean["draws"] == (draws[:, 0] != draws[:, 1]).sum()
    assert [row["draws"] for row in rows] == [(draws == n).any(1).sum() for n in (0, 1)]
    assert mean["energy"] == 0.5 == mean["energy_low"]  # one finding has no energy in any draw, and does not count


def records(root, *boxes):
    found = []
    for number, own in enumerate(boxes):
        path = root / f"{number}.png"
        pixels = np.random.default_rng(number).integers(0, 255, (80, 60), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        found.append(Record(str(path), f"p{number // 2}", "test", "x", boxes=tuple(own)))
    return Corpus("x", tuple(found), findings=("Mass", "Nodule"))


MASS, NODULE = Box("Mass", 0.1, 0.2, 0.5, 0.4), Box("Nodule", 0.5, 0.5, 0.75, 1.0)


def test_cases_are_all_boxes_of_the_findings(tmp_path):
    corpus = records(tmp_path, [MASS, NODULE, MASS], [], [NODULE])
    assert [found.finding for found in find_cases(corpus, None)] == ["Mass", "Mass", "Nodule", "Nodule"]
    assert len(find_cases(corpus, ["Nodule"])) == 2 and len(find_cases(corpus, None, limit=1)) == 3
    with pytest.raises(DatasetError, match=r"boxes of Mass, Nodule.*not of Edema.*`findings`"):
        find_cases(corpus, ["Edema"])
    for findings in (None, ["Mass"]):
        with pytest.raises(DatasetError, match="boxes of nothing"):
            find_cases(records(tmp_path, []), findings)
    assert len(find_cases(records(tmp_path, [MASS]), ["Mass", "Nodule"])) == 1  # small parts of a data set lack some


def test_an_image_is_seen_whole(tmp_path):
    image = read_square(records(tmp_path, []).records[0].image, 40, 1)
    pixels = np.asarray(Image.open(tmp_path / "0.png"), float) / 255
    assert image.shape == (1, 40, 40)
    assert image[0, :20].mean().item() == pytest.approx(pixels[:40].mean(), abs=0.01)
    assert image[0, :, 20:].mean().item() == pytest.approx(pixels[:, 30:].mean(), abs=0.01)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    settings = {"findings": ["Nodule", "Mass"], "exclusive": False, "resize_to": 73}
    folder.mkdir()
    KeepBest(classifier("vit"), str(folder), settings)._write({"metric": "auc", "value": 0.5})
    return folder


def test_a_run_gives_the_classifier_that_it_trained(run):
    trained = load_classifiers({"mine": str(run)})["mine"]
    assert trained.findings == ["Nodule", "Mass"] and trained.image_size == 64 and not trained.network.training
    images = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(trained.network(images), classifier("vit")(images))


def test_an_export_gives_it_too(run, tmp_path):
    for old, new in (("network.json", "configs/inference.json"), ("model.pt", "models/model.pt")):
        (tmp_path / "export" / new).parent.mkdir(parents=True, exist_ok=True)
        (run / old).rename(tmp_path / "export" / new)
    assert load_classifiers({"mine": str(tmp_path / "export")})["mine"].findings == ["Nodule", "Mass"]


def test_folders_that_hold_no_classifier_are_named(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere is neither a run.*network\.json with model\.pt"):
        load_classifiers({"a": str(tmp_path / "nowhere")})
    with pytest.raises(ValueError, match="--classifiers"):
        load_classifiers({})
    written = json.loads((run / "network.json").read_text())
    (run / "network.json").write_text(json.dumps({**written, "findings": ["Mass"]}))
    with pytest.raises(CheckpointError, match=r"model\.pt does not fit"):
        load_classifiers({"a": str(run)})
    (run / "network.json").write_text(json.dumps({**written, "findings": "$__import__('os')"}))
    with pytest.raises(ValueError, match="findings"):
        load_classifiers({"a": str(run)})


class NoTracking:
    def __init__(self):
        self.kept = []

    def whole_run(self):
        return nullcontext()

    def log_metrics(self, metrics):
        self.kept.append(metrics)

    def log_artifact(self, path):
        self.kept.append(path.name)


def test_a_whole_localization(run, tmp_path, capsys):
    corpus = records(tmp_path, [MASS, NODULE, MASS], [], [NODULE])
    loaded = load_classifiers({"one": str(run), "other": str(run)})
    tracking = NoTracking()
    content = Localize(loaded, corpus, None, str(tmp_path / "out"), tracking, resamples=20).run()
    assert (content["boxes"], content["images"], content["patients"]) == (4, 2, 2)
    written = json.loads((tmp_path / "out" / "localization.json").read_text())
    assert written["classifiers"]["one"] == written["classifiers"]["other"]
    boxes = pd.read_csv(tmp_path / "out" / "localization_boxes.csv")
    assert len(boxes) == 8 and boxes["classifier"].tolist() == ["one"] * 4 + ["other"] * 4
    # by hand, for the nodule of the last image, whose output is the first one
    side, (top, left, bottom, right) = 64, (0.5, 0.5, 0.75, 1.0)
    image = read_square(corpus.records[2].image, side, 1)
    heat = HeatMaps(loaded["one"].network)(image[None], 0)[0]
    inside = heat[int(top * side) : int(bottom * side), int(left * side) : int(right * side)]
    assert boxes["energy"][3] == pytest.approx((inside.sum() / heat.sum()).item(), rel=1e-4)
    assert boxes["pointing"][3] == bool((inside == heat.max()).any())
    assert "4 boxes in 2 images" in capsys.readouterr().out
    assert "heat_maps.png" in tracking.kept and set(tracking.kept[-1]) == {"one", "other"}


def test_a_classifier_that_does_not_know_a_finding_is_refused(run, tmp_path):
    corpus = records(tmp_path, [Box("Edema", 0.1, 0.2, 0.5, 0.4)])
    with pytest.raises(DatasetError, match=r"trained on Nodule, Mass, and Edema is not among them"):
        Localize(load_classifiers({"one": str(run)}), corpus, None, str(tmp_path), NoTracking())


def test_the_figure_shows_the_median_case_and_everything_is_on_the_page(run, tmp_path):
    corpus = records(tmp_path, [MASS], [MASS], [MASS, NODULE])
    cases = find_cases(corpus, None)
    scored = {"a": [Scored(True, 0.5, energy, True) for energy in (0.9, 0.1, 0.5)]}
    scored["a"].append(Scored(False, 0.0, math.nan, False))
    assert median_case("Mass", cases, scored) == 2
    loaded = load_classifiers({"a": str(run)})
    figure = heat_map_figure(loaded, {"a": {"Mass": 1, "Nodule": 0}}, cases, scored)
    assert [axes.get_title() for axes in figure.axes] == ["image and boxes", "a", "", ""]
    assert figure.axes[1].get_xlabel() == "energy 0.50, hit" and figure.axes[0].get_ylabel() == "Mass"
    assert figure.axes[3].get_xlabel() == "a map of zeros"
    (drawn,) = figure.axes[0].patches
    np.testing.assert_allclose(
        drawn.get_bbox().extents, [0.2 * 64 - 0.5, 0.1 * 64 - 0.5, 0.4 * 64 - 0.5, 0.5 * 64 - 0.5]
    )
    assert faults(figure) == []
