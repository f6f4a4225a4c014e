"""Recipes are read at a glance, and what two of them say alike is written once (`common/recipes`)."""

from collections import defaultdict
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COLUMNS, SHARED = 110, 10
NAMES = ("train.yaml", "inference.yaml", "evaluate.yaml", "multi_gpu.yaml", "logging.conf")
RECIPES = sorted(path for path in ROOT.glob("bundles/*/configs/*") if path.name in NAMES)
LONG = ROOT / "bundles" / "image_classification" / "configs" / "evaluate.yaml"  # wrapped it passes 40 lines
OVERLAYS = sorted(set(ROOT.glob("bundles/*/configs/**/*.yaml")) - {LONG})
BASES = sorted((ROOT / "common" / "recipes").glob("*.yaml"))


def said(path: Path) -> list[str]:
    """Lines of a recipe that say something: neither empty nor a comment alone."""
    lines = [line.rstrip() for line in path.read_text().splitlines()]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def shared_runs(files: dict[str, list[str]], length: int) -> set[tuple[str, str]]:
    """Pairs of files with so many lines in a row alike."""
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, lines in files.items():
        for start in range(len(lines) - length + 1):
            places[tuple(lines[start : start + length])].add(name)
    return {(one, other) for names in places.values() for one in names for other in names if one < other}


def test_shared_runs_are_found():
    one = [str(i) for i in range(20)]
    other = ["x", *one[5:15], "y"]
    assert shared_runs({"a": one, "b": other}, 10) == {("a", "b")}
    assert shared_runs({"a": one, "b": other}, 11) == set()


@pytest.mark.parametrize("path", [*OVERLAYS, *BASES], ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_fit_a_screen(path):
    long = [f"{number}: {line}" for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > COLUMNS]
    assert not long, "\n".join(long)


def test_no_ten_lines_in_a_row_are_said_twice():
    files = {str(path.relative_to(ROOT)): said(path) for path in [*RECIPES, *BASES] if not path.is_symlink()}
    assert shared_runs(files, SHARED) == set()


@pytest.mark.parametrize("path", sorted(ROOT.glob("bundles/*/configs/train.yaml")), ids=lambda path: path.parts[-3])
def test_ids_that_commands_override_have_their_parents_in_the_recipe(path):
    """MONAI sets `--train#trainer#max_epochs` before a recipe is completed."""
    recipe = yaml.safe_load(path.read_text())
    assert {"trainer"} <= recipe["train"].keys() and {"evaluator"} <= recipe["validate"].keys()
    assert {"checkpoints", "tracking", "optimizer", "schedules", "network_def"} <= recipe.keys()
