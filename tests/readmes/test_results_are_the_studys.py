"""Tables of results in README files say what the committed study measured: a number that went on is not left behind."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLES = {
    "cxr_ace": ("random_8", "ace_500"),
    "cxr_adam": ("random_16", "moco_v2"),
    "cxr_adam_v2": ("random_16", "adam_v2"),
    "cxr_srhrs": ("random_16", "srhrs"),
    "cxr_leader": ("random_16", "leader"),
}
ROWS = {
    "landmarks of one phantom found in another, share": ("landmarks found", 3),
    "lung or not per token, phantoms, AUC": ("lung probe AUC", 3),
    "lung or not per token, 198 real radiographs, AUC": ("lung probe AUC, real", 3),
    "`embedding_rank`": ("embedding rank", 1),
    "Dice of lungs, heart and clavicles, fine-tuned on 12 labelled phantoms": ("Dice, 12 labels", 3),
}
METHODS = {
    "random weights, 8 pixels a token": "random_8",
    "ACE": "ace_500",
    "ACE, 300 steps": "ace",
    "random weights, 16 pixels a token": "random_16",
    "SRHRS": "srhrs",
    "MoCo v2, Adam's level 0": "moco_v2",
    "Adam v2, LCD stage": "adam_v2",
    "LeADER, stage 2": "leader",
}


def measured():
    return json.loads((ROOT / "studies" / "presets" / "table.json").read_text())["methods"]


def figure(about, digits):
    """Mean, sample standard deviation and number of seeds, as the README files write them."""
    if about["mean"] is None:
        return "-"
    deviation = "" if about["sd"] is None else f" ± {about['sd']:.{digits}f}"
    return f"{about['mean']:.{digits}f}{deviation} ({about['n']})"


def bundle_rows(bundle):
    methods = measured()
    for label, (metric, digits) in ROWS.items():
        found = [figure(methods[name]["metrics"][metric], digits) for name in BUNDLES[bundle]]
        if found[1] != "-":
            yield f"| {label} | {' | '.join(found)} |"


def learning_rows():
    methods = measured()
    for title, name in METHODS.items():
        minutes = methods[name]["minutes"]["mean"]
        found = [figure(methods[name]["metrics"][metric], digits) for metric, digits in ROWS.values()]
        yield f"| {title} | {'-' if minutes is None else f'{minutes:.1f}'} | {' | '.join(found)} |"


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_s_results_are_the_study_s(bundle):
    text = (ROOT / "bundles" / bundle / "docs" / "README.md").read_text()
    assert [row for row in bundle_rows(bundle) if row not in text] == []


def test_the_page_about_learning_has_the_study_s_numbers():
    text = (ROOT / "docs" / "learning.md").read_text()
    assert [row for row in learning_rows() if row not in text] == []
