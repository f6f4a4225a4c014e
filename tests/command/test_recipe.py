import pytest
import yaml
from monai.bundle import create_workflow

from common.command import completed, merged_config, read_recipe, recipe
from common.command.given import Command
from common.command.known_keys import unknown_keys

BASE = {
    "limit": 512,
    "options": {},
    "loader": {"_target_": "types.SimpleNamespace", "workers": 2},
    "train": {
        "trainer": {"_target_": "types.SimpleNamespace", "max_epochs": "@epochs", "limit": "@limit"},
        "inferer": 1,
    },
    "network": {"encoder": {"_target_": "types.SimpleNamespace", "size": 4}},
    "steps": [1, 2],
    "run": ["$(@train#trainer, @loader)"],
}
OWN = {
    "base": "shared",
    "bundle_root": ".",
    "epochs": 3,
    "train": {"trainer": {"clip": 0.5}},
    "loader": {},
    "initialize": ["$import common", "$common.command.begin()"],
}


@pytest.fixture
def train(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "shared.yaml").write_text(yaml.safe_dump(BASE))
    monkeypatch.setattr(recipe, "FOLDER", tmp_path / "recipes")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text("{}")
    file = tmp_path / "configs" / "train.yaml"
    file.write_text(yaml.safe_dump(OWN))
    return file


def overlay(train, **values):
    file = train.with_name("overlay.yaml")
    file.write_text(yaml.safe_dump(values))
    return file


def test_own_values_win_and_mappings_are_laid_over_each_other(train):
    whole = completed({**OWN, "steps": [3], "limit": None})
    assert whole["train"]["trainer"] == {**BASE["train"]["trainer"], "clip": 0.5}
    assert (whole["train"]["inferer"], whole["steps"], whole["limit"], whole["epochs"]) == (1, [3], None, 3)
    assert "base" not in whole


def test_a_component_takes_the_place_of_one_but_lies_over_its_parts(train):
    other = {"_target_": "builtins.dict", "a": 1}
    assert completed({**OWN, "train": {"trainer": other}})["train"]["trainer"] == other
    whole = completed({**OWN, "network": {"_target_": "builtins.dict", "encoder": {"drop": 0.1}}})["network"]
    assert whole == {"_target_": "builtins.dict", "encoder": {**BASE["network"]["encoder"], "drop": 0.1}}


def test_a_config_without_a_base_stays_as_it_is():
    assert completed({"a": {"b": 1}}) == {"a": {"b": 1}}


def test_a_base_may_have_a_base_itself(train):
    (recipe.FOLDER / "narrow.yaml").write_text(yaml.safe_dump({"base": "shared", "limit": 8, "more": 1}))
    whole = completed({"base": "narrow", "more": 2})
    assert (whole["limit"], whole["more"], whole["steps"]) == (8, 2, [1, 2])


def test_a_base_that_is_not_there_is_named_beside_those_that_are(train):
    with pytest.raises(FileNotFoundError, match="'share', and common/recipes has shared"):
        completed({"base": "share"})


def test_monai_runs_a_recipe_with_overlays_and_overrides_from_anywhere(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "recipes")
    files = [str(train), str(overlay(train, **{"train#trainer#clip": 0.25, "options": {"a": 1}, "loader#pin": True}))]
    overrides = {"train#trainer#max_epochs": 7, "loader#workers": 4, "limit": 9}  # two in the base's parts, one beside
    workflow = create_workflow(config_file=files, workflow_type="train", logging_file=False, **overrides)
    ((trainer, loader),) = workflow.run()
    assert (trainer.max_epochs, trainer.limit, trainer.clip) == (7, 9, 0.25)
    assert (loader.workers, loader.pin) == (4, True)
    assert merged_config(files, **overrides)["loader"] == {**BASE["loader"], "workers": 4, "pin": True}
    assert workflow.parser["options"] == {"a": 1}


def test_a_parser_can_read_a_recipe_without_running_it(train):
    assert read_recipe(train, overlay(train, epochs=5)).get_parsed_content("train#trainer").max_epochs == 5


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("limt", 3, "did you mean limit"),
        ("train#trainer#max_epoch", 3, "did you mean train#trainer#max_epochs"),
        ("limit", "many", "where a number belongs"),
        ("limit", 3, None),
        ("loader#workers", 4, None),
        ("loader", {"workers": "many"}, "where a number belongs"),
        ("options", {"a": 1}, None),
        ("network", {"_target_": "torch.nn.Linear", "in_features": 1}, None),  # a component where the base has none
        ("network", {"_target_": "torch.nn.Linear", "in_featurs": 1}, "did you mean network#in_features"),
        ("train#trainer#max_epochs", 3, None),
    ],
)
def test_keys_and_kinds_of_the_base_are_known(train, key, value, problem):
    found = unknown_keys(Command((str(train),), {key: value}))
    assert (found == []) if problem is None else (problem in found[0])


def test_a_mapping_over_a_part_of_the_base_keeps_the_rest_of_it(train):
    """What the command line may then still set is what MONAI's parser would hold when the recipe is completed."""
    files = (str(train), str(overlay(train, loader={"pin": True})))
    assert unknown_keys(Command(files, {"loader#workers": 4})) == []
    assert merged_config(files, **{"loader#workers": 4})["loader"] == {**BASE["loader"], "workers": 4, "pin": True}
