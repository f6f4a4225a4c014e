"""The deliberate mistakes must fit the code that they change, or they would test nothing."""

import ast
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLES = {
    path.relative_to(ROOT).as_posix(): yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "tests").rglob("mutations*.yaml"))
}
ENTRIES = [(table, entry) for table, entries in TABLES.items() for entry in entries]


def rooms(root: Path) -> set[str]:
    """Rooms of `common` and bundles that have code of their own: folders and modules that define something."""
    places = [*(root / "common").iterdir(), *(root / "bundles").glob("*/scripts")]
    found = set()
    for place in places:
        files = place.rglob("*.py") if place.is_dir() else [place] if place.suffix == ".py" else []
        if any(defines(path) for path in files):
            found.add((place.parent if place.name == "scripts" else place).relative_to(root).as_posix())
    return found


def defines(path: Path) -> bool:
    return path.name != "__init__.py" and any(
        line.startswith(("def ", "class ")) for line in path.read_text(encoding="utf-8").splitlines()
    )


@pytest.mark.parametrize(("table", "entry"), ENTRIES, ids=[entry["mistake"] for _, entry in ENTRIES])
def test_every_mistake_fits_its_file(table, entry):
    assert set(entry) == {"mistake", "file", "fragment", "replacement", "tests"}
    source = (ROOT / entry["file"]).read_text(encoding="utf-8")
    assert source.count(entry["fragment"]) == 1
    assert entry["tests"] and all((ROOT / test).is_file() for test in entry["tests"])
    assert any(Path(test).parent == Path(table).parent for test in entry["tests"]), "a mistake lies beside its tests"
    changed = source.replace(entry["fragment"], entry["replacement"])
    if entry["file"].endswith(".yaml"):
        assert yaml.safe_load(changed) != yaml.safe_load(source)
    else:
        assert ast_of(changed, entry["file"]) != ast_of(source, entry["file"]), "comments and spaces are no mistake"


def ast_of(source: str, name: str) -> str:
    return ast.dump(ast.parse(source, name))


def test_mistakes_are_described_once():
    assert [name for name, count in Counter(entry["mistake"] for _, entry in ENTRIES).items() if count > 1] == []


def test_every_room_with_code_has_a_mistake():
    files = [entry["file"] for _, entry in ENTRIES]
    without = [room for room in rooms(ROOT) if not any(file == room or file.startswith(f"{room}/") for file in files)]
    assert without == [], "write a deliberate mistake for each beside its tests (CONTRIBUTING.md says how)"


def test_rooms_are_found_by_what_they_define(tmp_path):
    for name, text in (
        ("common/losses/mean.py", "def mean():\n    pass\n"),
        ("common/data/__init__.py", "def __getattr__(name):\n    pass\n"),
        ("common/inert.py", "class Inert:\n    pass\n"),
        ("bundles/toy/scripts/method.py", "class Toy:\n    pass\n"),
        ("bundles/bare/configs/train.yaml", "a: 1\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert rooms(tmp_path) == {"common/losses", "common/inert.py", "bundles/toy"}
