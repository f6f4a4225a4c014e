"""Data in configs: MONAI itself is the judge of whether a text was evaluated."""

import json

import pytest
from monai.bundle import ConfigParser

from common.inert import inert, literal

TEXTS = [
    "Mass",
    "50% stenosis",
    "a@b.org",
    "",
    "$1 + 1",
    "$import os",
    "@home",
    "@home#deep",
    "%home",
    "%elsewhere.json#x",
    "lesion #3",
    "x @::home y",
    "quote ' and \" and \\ and \\x40",
    "$'\\x40home'",
    "Läsion\n$",
    "$",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_config_gives_back_every_text_as_it_was(text):
    data = {
        "names": [text, (text, 1)],
        "inside": {text.replace("#", "").replace("::", ""): text},
        "numbers": [1, 2.5, None, True],
    }
    written = json.loads(json.dumps(inert(data, "x")))
    parsed = ConfigParser({"home": {"deep": "reached"}, "_meta_": {"x": written}}).get_parsed_content("_meta_")["x"]
    as_data = {**data, "names": [text, [text, 1]]}
    assert parsed["names"] == as_data["names"] and parsed["inside"] == as_data["inside"]
    assert literal(written, "x") == as_data


def test_plain_text_stays_readable():
    assert inert(["Mass", "50% stenosis", "a@b.org"], "x") == ["Mass", "50% stenosis", "a@b.org"]


@pytest.mark.parametrize("key", ["_target_", "_disabled_", "_mode_", "_requires_", "lesion #3", "a::b", 3])
def test_a_key_with_a_meaning_to_monai_is_refused(key):
    with pytest.raises(ValueError, match=r"network.json#options has the key"):
        inert({"options": {key: "os.mkdir"}}, "network.json")
    with pytest.raises(ValueError, match="has the key"):
        literal({key: "os.mkdir"}, "network.json")


def test_other_kinds_are_refused():
    with pytest.raises(TypeError, match="x#a is a set"):
        inert({"a": {1}}, "x")


@pytest.mark.parametrize("text", ["$1 + 1", "$open('x')", "@home", "%home", "$'a' 'b'", "$'@home'", "$b'x'", "$5", "$"])
def test_data_with_an_expression_is_refused(text):
    with pytest.raises(ValueError, match=r"n.json#a#0 is"):
        literal({"a": [text]}, "n.json")
