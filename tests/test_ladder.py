"""Who may import whom: `common` climbs one ladder, bundles stand beside each other, and names stay unambiguous."""

import ast
from pathlib import Path

import pytest

import common

ROOT = Path(__file__).parents[1]
COMMON = sorted((ROOT / "common").rglob("*.py"))
BUNDLES = sorted((ROOT / "bundles").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Absolute dotted names of everything that a file below the root imports, inside functions too."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def step_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "common" and len(parts) > 1 and parts[1] in common.LADDER else None


def climbs_down(path: Path) -> list[str]:
    """Imports of steps to the right of the file's own."""
    own = step_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own is None:
        return []
    allowed = common.LADDER[: common.LADDER.index(own) + 1]
    return sorted(name for name in imported(path) if (step := step_of(name)) is not None and step not in allowed)


def test_ladder_names_every_step():
    steps = {
        path.stem for path in (ROOT / "common").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert steps - {"__init__"} <= set(common.LADDER)


@pytest.mark.parametrize("path", COMMON, ids=lambda path: str(path.relative_to(ROOT)))
def test_common_imports_from_the_left_and_relatively(path):
    assert climbs_down(path) == []
    absolute = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {name for node in absolute if not getattr(node, "level", 0) for name in _named(node)}
    assert not {name for name in names if name.split(".")[0] in {"common", "bundles", "scripts", "tests"}}


def _named(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_bundle_imports_common_and_itself_alone(path):
    bundle = path.relative_to(ROOT / "bundles").parts[0]
    for name in imported(path):
        assert name.split(".")[0] not in {"scripts", "tests"}, "a plain `scripts` would be another bundle's, too"
        assert not name.startswith("bundles.") or name.startswith(f"bundles.{bundle}.scripts")


def test_nothing_shadows_a_bundles_scripts():
    assert not (ROOT / "scripts" / "__init__.py").exists()
    assert not list((ROOT / "bundles").glob("__init__.py")) + list((ROOT / "bundles").glob("*/__init__.py"))


def test_the_check_sees_a_step_down(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "common" / "views" / "sinner.py"
    path.parent.mkdir(parents=True)
    path.write_text("def late():\n    from ..engines import rank\nfrom ..records import Corpus\nfrom . import boxes\n")
    assert climbs_down(path) == ["common.engines.rank"]
