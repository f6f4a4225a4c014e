"""The card tells which network it is and what it does on each class or structure, each with its interval."""

import json
from pathlib import Path

import pytest

from common.export.data_section import performance
from common.export.measured import in_detail
from common.export.network_sentence import GENERIC, described
from common.export.run import _start
from common.inert import inert

BUNDLES = Path(__file__).parents[2] / "bundles"
REPORT = {
    "classes": ["lung", "a|b#"],
    "metrics": {"dice": 0.71, "dice/lung": 0.91, "dice/a|b#": None, "iou/lung": 0.8, "iou/a|b#": 0.5},
    "intervals": {"level": 0.9, "metrics": {"dice": [0.6, 0.8], "dice/lung": [0.88, 0.93], "dice/a|b#": None}},
}


def test_each_structure_has_a_row_with_its_interval():
    measured = {"data": "jsrt", "split": "test", "count": 49} | in_detail(REPORT)
    assert inert(measured, "metadata.json") and json.dumps(measured)  # whatever a class is called
    text = performance({"dice": 0.71}, measured)
    assert "| metric | value | 90 % interval | data set | split | n |\n" in text
    assert "| dice | 0.71 | 0.6 to 0.8 | jsrt | test | 49 |" in text
    assert "| | dice | iou |\n| --- | --- | --- |\n| lung | 0.91 (0.88 to 0.93) | 0.8 |\n" in text
    assert "| a\\|b# | undefined | 0.5 |" in text
    assert {line.count("|") - line.count("\\|") for line in text.splitlines()[5:8]} == {4}  # a table of three columns


def test_reports_of_earlier_versions_have_neither():
    text = performance({"dice": 0.71}, {"data": "jsrt", **in_detail({"metrics": {"dice": 0.71, "dice/lung": 0.9}})})
    assert text.splitlines()[0] == "| metric | value | data set | split | n |" and len(text.splitlines()) == 3


@pytest.mark.parametrize("path", sorted(BUNDLES.glob("*/configs/metadata.json")), ids=lambda path: path.parts[-3])
def test_the_description_names_the_network_and_not_what_might_be_built(path):
    own = json.loads(path.read_text())["description"]
    network = {"architecture": "resnet18", "encoder_options": {"depth": 2}, "decoder": "unet", "decoder_channels": 32}
    text = described(own, network, "the weights of ace")
    assert "resnet18 (depth 2) with the decoder unet of width 32, trained from the weights of ace" in text
    assert "UperNet" not in text and "pre-trained or random" not in text
    assert own in text or (own.startswith(GENERIC) and text.endswith(own.partition("; ")[2]))
    assert described(own, {}, "random weights") == own  # nothing is known of the network


@pytest.mark.parametrize(
    ("config", "began", "start"),
    [
        ({"encoder_file": "/x/e.safetensors"}, {"method": "cxr_ace"}, "the weights of cxr_ace"),
        ({"encoder_file": "/x/swin.pth"}, {}, "the weights in swin.pth"),
        ({"encoder_file": "/x/swin.pth", "load_weights": False}, {}, "random weights"),
        ({"start_from": "runs/adam/level-1"}, {}, "the weights in level-1"),
        ({"encoder_file": None, "backbone_file": "$None"}, {}, "random weights"),
    ],
)
def test_the_start_is_told(config, began, start):
    assert _start(config, began) == start
