"""Overlays of the classification bundle name what their readers know."""

from pathlib import Path

import pytest
import yaml

from common.readers import find_reader, reader_modules
from common.readers.cxr._chexpert_tables import FINDINGS as CHEXPERT
from common.readers.cxr._padchest_labels import DEFAULT as PADCHEST
from common.readers.cxr._vindr_cxr_tables import GLOBAL, KAGGLE

DATA = Path(__file__).parents[2] / "bundles" / "image_classification" / "configs" / "data"
ORDERED = {
    "chexpert": CHEXPERT,
    "mimic_cxr": CHEXPERT,
    "padchest": PADCHEST,
    "rsna_pneumonia": ("Normal", "No Lung Opacity / Not Normal", "Lung Opacity"),
    "vindr_cxr": GLOBAL,
    "vindr_cxr_benchmark": ("Pleural effusion", *GLOBAL[1:]),
    "vindr_cxr_local": KAGGLE[:-1],
}


def overlay(name):
    return yaml.safe_load((DATA / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", ORDERED)
def test_findings_are_the_readers_in_its_order(name):
    """The order is that of the papers, so that the outputs of two networks can be compared."""
    assert overlay(name)["findings"] == list(ORDERED[name])


@pytest.mark.parametrize("name", [path.stem for path in DATA.glob("*.yaml")])
def test_readers_and_their_options_exist(name):
    config = overlay(name)
    assert config["dataset"] in reader_modules()
    find_reader(config["dataset"]).refuse_unknown(config.get("dataset_options", {}), ("split_file", "split_part"))


def test_chexpert_is_tested_on_five_of_the_findings_that_it_learns():
    config = overlay("chexpert")
    assert config["tested"] == ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"]
    assert set(config["tested"]) < set(config["findings"])


def test_classes_that_exclude_each_other_are_so_marked():
    exclusive = {path.stem for path in DATA.glob("*.yaml") if overlay(path.stem).get("exclusive")}
    of_one_class = {"covid_radiography", "covidx", "eyepacs", "folder_classes", "kermany", "rsna_pneumonia", "tbx11k"}
    assert exclusive == of_one_class
    assert {path.stem for path in DATA.glob("*.yaml") if overlay(path.stem).get("ordered")} == {"eyepacs"}
