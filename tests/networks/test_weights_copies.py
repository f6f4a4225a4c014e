"""Files that hold weights more than once, or deep inside: which copy is taken, and what is said about it."""

import warnings

import pytest
import torch


def prefixed(weights, prefix):
    return {prefix + key: value for key, value in weights.items()}


@pytest.mark.parametrize(
    ("trained", "averaged"),
    [
        ("model", "model_ema"),
        ("state_dict", "state_dict_ema"),
        ("model", "ema"),
        ("net", "averaged"),
        ("student", "teacher"),
        ("network", "ema_model"),
    ],
)
def test_the_averaged_copy_is_taken_unless_the_student_is_asked_for(load, resnets, trained, averaged):
    one, other = resnets
    content = {trained: prefixed(one, "module."), averaged: other, "epoch": 3, "optimizer": {"state": {0: one}}}
    weight, report = load(content)
    assert torch.equal(weight, other["conv1.weight"]) and report.share == 1
    weight, report = load(content, part="student")
    assert torch.equal(weight, one["conv1.weight"]) and report.share == 1


def test_an_averaged_copy_inside_one_state_dict(load, resnets):
    one, other = resnets
    content = {"state_dict": {**prefixed(one, "model.backbone."), **prefixed(other, "ema_model.backbone.")}}
    assert torch.equal(load(content)[0], other["conv1.weight"])
    assert torch.equal(load(content, part="student")[0], one["conv1.weight"])


@pytest.mark.parametrize(
    "averaged",
    [
        {"shadow_params": [torch.rand(64, 3, 7, 7)]},
        {"conv1weight": torch.rand(64, 3, 7, 7)},
        {"conv1.weight": torch.rand(64, 3, 7, 7)},
    ],
)
def test_an_averaged_copy_that_cannot_be_taken_is_said(load, resnets, averaged):
    one, _ = resnets
    with pytest.warns(UserWarning, match=r"averaged weights \(ema\).*the trained ones \(model\) are taken"):
        weight, _ = load({"model": one, "ema": averaged})
    assert torch.equal(weight, one["conv1.weight"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        load({"model": one, "ema_decay": 0.99, "ema_steps": torch.tensor(3)})
        load({"model": one, "ema": averaged}, part="student")


def test_only_an_averaged_copy(load, resnets):
    one, _ = resnets
    assert torch.equal(load({"teacher": one})[0], one["conv1.weight"])
    with pytest.raises(ValueError, match=r"only averaged weights \(teacher"):
        load({"teacher": one}, part="student")


def test_copies_between_which_nothing_decides_are_refused(load, resnets):
    one, other = resnets
    with pytest.raises(ValueError, match=r"theirs\.pth: .*several copies of the network: left, right"):
        load({"left": one, "right": other})
    content = {"state_dict": {**prefixed(one, "left."), **prefixed(other, "right.")}}
    assert torch.equal(load(content, key_map={"^right[.].*": ""})[0], one["conv1.weight"])


@pytest.mark.parametrize(
    "place",
    [
        lambda w: {"net": w},
        lambda w: {"network_weights": w},
        lambda w: {"teacher": w},
        lambda w: prefixed(w, "_orig_mod."),
        lambda w: prefixed(w, "module._orig_mod."),
        lambda w: prefixed(w, "_orig_mod.module."),
        lambda w: {"state_dict": prefixed(w, "model._orig_mod.encoder.module.backbone.")},
        lambda w: {"a": {"b": {"weights": prefixed(w, "trunk.")}}, "epoch": 3},
        lambda w: {"model": {**prefixed(w, "encoder."), "decoder.conv1.weight": torch.rand(2, 2)}},
        lambda w: {"encoder": w, "head": {"weight": torch.rand(2, 512)}},
    ],
)
def test_the_state_dict_is_found_wherever_it_lies(load, resnets, place):
    one, _ = resnets
    weight, report = load(place(one))
    assert torch.equal(weight, one["conv1.weight"]) and report.share == 1


@pytest.mark.parametrize("key", ["net", "network_weights", "teacher", "model", "state_dict"])
def test_a_key_map_is_used_before_any_layout_is_looked_for(load, resnets, key):
    one, _ = resnets
    theirs = {f"trunk/{name}".replace(".weight", ".gamma"): value for name, value in one.items()}
    weight, report = load({key: theirs}, key_map={"^trunk/": "", r"\.gamma$": ".weight"})
    assert torch.equal(weight, one["conv1.weight"]) and report.share == 1
