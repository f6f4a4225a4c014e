"""Who may import whom: `common` climbs one ladder, bundles stand beside each other, and names stay unambiguous."""

import ast
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
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


def circle(paths: Iterable[Path]) -> list[str]:
    """Modules of one step that import each other in a circle, the first of them last again; empty where none do."""
    modules = {module_of(path): path for path in paths}
    needs = {
        module: {
            found
            for name in imported(path)
            if (found := nearest(name, modules)) not in (None, module) and step_of(found) == step_of(module)
        }
        for module, path in modules.items()
        if step_of(module) is not None
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nearest(name: str, modules: Iterable[str]) -> str | None:
    """The module that an imported name is or stands in."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def test_ladder_names_every_step():
    steps = {
        path.stem for path in (ROOT / "common").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert steps - {"__init__", "__main__"} <= set(common.LADDER)


@pytest.mark.parametrize("path", COMMON, ids=lambda path: str(path.relative_to(ROOT)))
def test_common_imports_from_the_left_and_relatively(path):
    assert climbs_down(path) == []
    absolute = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {name for node in absolute if not getattr(node, "level", 0) for name in _named(node)}
    assert not {name for name in names if name.split(".")[0] in {"common", "bundles", "scripts", "tests"}}


def _named(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


def test_no_two_modules_of_a_step_need_each_other():
    assert circle(COMMON) == []


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


@pytest.mark.parametrize(
    "late", ["from .low import x", "from . import low", "from ..views.low import x", "from . import y"]
)
def test_the_check_sees_a_circle_within_a_step_and_in_functions(late, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    folder = tmp_path / "common" / "views"
    folder.mkdir(parents=True)
    files = {
        "__init__": "from .low import x",
        "low": "from .middle import x\nfrom ..records import Corpus\n",
        "middle": f"def later():\n    {late}\n",
    }
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    assert "common.views.middle" in circle(folder.glob("*.py"))
    (folder / "middle.py").write_text("from ..records import low")
    assert circle(folder.glob("*.py")) == []
