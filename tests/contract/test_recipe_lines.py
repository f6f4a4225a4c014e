"""Recipes are read at a glance, and what two of them say alike is written once (`common/recipes`)."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from common.command import completed, read_recipe

ROOT = Path(__file__).parents[2]
COLUMNS, SHARED = 110, 10
NAMES = ("train.yaml", "analyse.yaml", "inference.yaml", "evaluate.yaml", "multi_gpu.yaml")
RECIPES = sorted(path for path in ROOT.glob("bundles/*/configs/*") if path.name in NAMES)
OVERLAYS = sorted(ROOT.glob("bundles/*/configs/**/*.yaml"))
WITH_BASE = [path for path in OVERLAYS if path.name in ("train.yaml", "inference.yaml")]
BASES = sorted((ROOT / "common" / "recipes").glob("*.yaml"))


def said(path: Path) -> list[str]:
    """Lines of a recipe that say something: neither empty, nor a comment alone, nor `{}` for what the base has."""
    lines = [line.rstrip() for line in path.read_text().splitlines()]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#") and line[-4:] != ": {}"]


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
    files = {str(path.relative_to(ROOT)): said(path) for path in [*RECIPES, *BASES]}
    assert shared_runs(files, SHARED) == set()


def test_bundles_log_alike_by_files_of_their_own():
    """A link would not outlive a zip file or a Windows machine, and MONAI stops at a file that is none of logging's."""
    files = sorted(ROOT.glob("bundles/*/configs/logging.conf"))
    assert not any(file.is_symlink() for file in files)
    assert len({file.read_text() for file in files}) == 1


def parts(config: dict, path: str = "") -> Iterator[str]:
    """Ids of the mappings in a config, lists aside, in which a command could set something."""
    for key, value in config.items():
        if isinstance(value, dict):
            if value.keys() != {"_target_"}:
                yield f"{path}{key}"
            yield from parts(value, f"{path}{key}#")


@pytest.mark.parametrize("path", WITH_BASE, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_command_can_set_something_in_every_part_that_the_base_has(path):
    """MONAI lays the command line over the recipe before it is completed, and seeks the parent of a nested id there."""
    whole = read_recipe(path)
    recipe = ConfigParser(ConfigParser.load_config_file(path))
    names = list(parts({key: value for key, value in whole.get().items() if key != "_meta_"}))
    for name in names:
        recipe[f"{name}#new"] = 1  # as MONAI does for --train#dataloader#new
    after = ConfigParser(completed(recipe.get()))
    assert "train#dataloader" in names or "dataloader" in names
    for name in names:
        assert after[name].keys() == {*whole[name], "new"}
