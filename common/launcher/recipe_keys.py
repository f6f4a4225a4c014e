"""The keys of a recipe with their values and the comments beside them, as its files say them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..command.recipe import BASE, FOLDER, base_of, completed

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HEADING = re.compile(r"# -+ (.+?) -+$")
COMMENT = re.compile(r"\s*#\s*(.*)")


@dataclass(frozen=True)
class Key:
    """One at the top level of a recipe.

    Args:
        name: of the key.
        value: of a component its `_target_`, of a section the names in it.
        comment: beside it, or above it.
        section: the heading that it stands under; "" before the first.
    """

    name: str
    value: str
    comment: str
    section: str


def recipe_files(recipe: Path) -> list[Path]:
    """A recipe, the base that it names, the base of that, and so on."""
    files = [recipe]
    while name := yaml.load(files[-1].read_text(encoding="utf-8"), LOADER).get(BASE):
        files.append(FOLDER / f"{name}.yaml")
    return files


def recipe_keys(recipe: Path) -> Iterator[tuple[Path, list[Key]]]:
    """Files of a recipe, and the keys of each that no file before it has."""
    merged = completed(yaml.load(recipe.read_text(encoding="utf-8"), LOADER))
    seen = {BASE}
    for file in recipe_files(recipe):
        keys = [key for key in _keys(file, merged) if key.name not in seen]
        seen |= {key.name for key in keys}
        yield file, keys


def _keys(file: Path, merged: dict[str, Any]) -> Iterator[Key]:
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    headings = {number: found[1] for number, line in enumerate(lines) if (found := HEADING.match(line))}
    root: Any = yaml.compose(text, LOADER)
    base = base_of(yaml.load(text, LOADER))
    for name, value in root.value:
        if name.value in base and isinstance(value, yaml.MappingNode) and not value.value:
            continue  # `{}` for what the base has, and says something of
        row = name.start_mark.line
        section = next((said for number, said in reversed(headings.items()) if number < row), "")
        comment = " ".join(filter(None, [_above(lines, row), _beside(lines, name, value)]))
        yield Key(name.value, _shown(merged.get(name.value)), comment, section)


def _beside(lines: list[str], name: yaml.Node, value: yaml.Node) -> str:
    """What follows a value on its line, or the key where the value begins on the next."""
    end = value.end_mark if value.start_mark.line == name.end_mark.line else name.end_mark
    rest = lines[end.line][end.column :].removeprefix(":") if end.line < len(lines) else ""
    found = COMMENT.match(rest)
    return found[1] if found else ""


def _above(lines: list[str], row: int) -> str:
    """Comments right above a line; those at the top of a file are about the file."""
    first = row
    while first > 0 and lines[first - 1].startswith("#") and not HEADING.match(lines[first - 1]):
        first -= 1
    return "" if first == 0 else " ".join(line.removeprefix("#").strip() for line in lines[first:row])


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "_target_" in value:
        return str(value["_target_"])
    if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
        return "{" + ", ".join(map(str, value)) + "}"
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return " ".join(text.removesuffix("...\n").split())
