"""A file of `common`: the names in it, what each of them needs, and the same file with fewer of them."""

import ast
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

from .imports import Parts, Target, assigned, at_run_time, bound, for_types, tables_of, targets

LADDER = "LADDER"


class Source:
    """Names that a file takes from others, names by which a package imports modules later, and what it defines itself.

    Args:
        path: the file.
        place: its module's name below `common`.
    """

    def __init__(self, path: Path, place: Parts):
        self.path, self.place = path, place
        self.is_package = path.name == "__init__.py"
        self.package = place if self.is_package else place[:-1]
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    @cached_property
    def tables(self) -> dict[str, dict[str, Parts]]:
        """Dicts by which a package imports modules when first asked for: table -> key -> module."""
        wanted = set(tables_of(self.tree)) if self.is_package else set()
        return {
            name: {key: (*self.place, *module.split(".")) for key, module in ast.literal_eval(statement.value).items()}
            for statement in self.tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
            if (name := assigned(statement)) in wanted and name is not None
        }

    @cached_property
    def offers(self) -> dict[str, Target | None]:
        """Imported name, or key of a table -> what it stands for; None: something outside of `common`."""
        found: dict[str, Target | None] = {}
        for table in self.tables.values():
            found |= {key: Target(module, key) for key, module in table.items()}
        for statement in self._imports:
            found |= dict.fromkeys(bound(statement))
            for name, (module, taken) in targets(statement, self.package):
                own = self.is_package and module == self.place  # `from . import module`
                found[name] = Target((*module, taken or ""), None) if own else Target(module, taken)
        return found

    @cached_property
    def defines(self) -> dict[str, list[ast.stmt]]:
        """Name -> the statements that give it its value."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self._own:
            for name in bound(statement):
                found.setdefault(name, []).append(statement)
        return found

    @property
    def standing(self) -> Iterator[Target]:
        """What the file needs whichever of its names are wanted: for statements that do something, not only define."""
        yield from self._needs(statement for statement in self._own if not self._may_go(statement))
        if any(for_types(node) for node in ast.walk(self.tree)):
            yield Target(self.place, "TYPE_CHECKING")
        used = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)} | self._public
        for name, offered in self.offers.items():  # an import that nothing uses is there for its effect
            if name not in used and not (self.is_package and offered):
                yield Target(self.place, name)

    def needs(self, name: str) -> Iterator[Target]:
        """What a name cannot do without."""
        if name in self.defines:
            yield from self._needs(self.defines[name])
        elif (offered := self.offers[name]) is not None:
            yield offered

    def trimmed(self, keeps: Collection[str], steps: Collection[str] = ()) -> str:
        """The file's text without the names that are not kept.

        Args:
            keeps: names, and keys of tables.
            steps: those of the ladder, where this is `common` itself.
        """
        lines = self.text.splitlines(keepends=True)
        gone = {*self.offers, *self.defines} - set(keeps)
        inside = [inner for s in self.tree.body if for_types(s) for inner in s.body]  # type: ignore[attr-defined]
        for statement in [*inside, *self.tree.body]:
            changed = self._less(statement, gone, steps)
            if changed is not None:
                first, last = self._extent(statement) if not changed else (statement.lineno - 1, statement.end_lineno)
                lines[first:last] = [changed, *[""] * (last - first - 1)]
        return "".join(lines).rstrip() + "\n"

    def _less(self, statement: ast.stmt, gone: set[str], steps: Collection[str]) -> str | None:
        """What takes a statement's place; None: it stays."""
        name = assigned(statement)
        if for_types(statement):
            names = {name for inner in statement.body for name in bound(inner)}  # type: ignore[attr-defined]
            return "" if names <= gone else None
        if isinstance(statement, ast.Import | ast.ImportFrom):
            return _spelled(statement, "names", lambda alias: _bound_by(alias) not in gone)
        if name in self.tables or name == "__all__":
            return _spelled(statement, "elts" if name == "__all__" else "keys", lambda key: key.value not in gone)
        if name == LADDER and not self.place:
            return _spelled(statement, "elts", lambda step: step.value in steps)
        return "" if self._may_go(statement) and set(bound(statement)) <= gone else None

    def _extent(self, statement: ast.stmt) -> tuple[int, int]:
        """Lines of a statement with the comment above it, a text about it below, and the space that follows."""
        lines = self.text.splitlines()
        first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))]) - 1
        while first and lines[first - 1].startswith("#"):
            first -= 1
        last = statement.end_lineno or statement.lineno
        about = next((s for s in self.tree.body if s.lineno > last), None)
        if assigned(statement) and _is_text(about):
            last = about.end_lineno or last  # type: ignore[union-attr]
        if first == 0 or not lines[first - 1].strip():
            while last < len(lines) and not lines[last].strip():
                last += 1
        return first, last

    def _needs(self, statements: Iterable[ast.stmt]) -> Iterator[Target]:
        nodes = [node for statement in statements for node in (statement, *at_run_time(statement))]
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        yield from (Target(self.place, name) for name in (*self.offers, *self.defines) if name in used)
        yield from (target for node in nodes for _, target in targets(node, self.package))

    def _may_go(self, statement: ast.stmt) -> bool:
        """Whether a statement does nothing but define a name, by no code of ours."""
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            if statement.name.startswith("__"):  # Python's own, such as a package's __getattr__
                return False
            runs: list[ast.expr] = list(statement.decorator_list)
        elif assigned(statement):
            runs = [statement.value] if statement.value else []  # type: ignore[attr-defined]
        else:
            return False
        called = {ast.unparse(n.func).split(".")[0] for run in runs for n in ast.walk(run) if isinstance(n, ast.Call)}
        return not any(name in self.defines or self.offers.get(name) for name in called)

    @cached_property
    def _public(self) -> set[str]:
        lists = [s.value for s in self.tree.body if isinstance(s, ast.Assign) and assigned(s) == "__all__"]
        return {name for value in lists for name in ast.literal_eval(value)}

    @cached_property
    def _imports(self) -> list[ast.stmt]:
        return [s for s in self.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]

    @cached_property
    def _own(self) -> list[ast.stmt]:
        names = {"__all__", *self.tables, *([] if self.place else [LADDER])}
        return [s for s in self.tree.body if s not in self._imports and not for_types(s) and assigned(s) not in names]


def _is_text(statement: ast.stmt | None) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def _spelled(statement: ast.stmt, field: str, stays: Callable[[Any], bool]) -> str | None:
    """A statement with fewer parts, one a line where they do not fit in one; None: all of them stay."""
    statement = deepcopy(statement)
    holder: Any = statement if field == "names" else statement.value  # type: ignore[attr-defined]
    parts = getattr(holder, field)
    kept = [stays(part) for part in parts]
    if all(kept):
        return None
    if field == "names" and not any(kept):
        return ""
    for name in (field, "values") if field == "keys" else (field,):
        setattr(holder, name, [part for part, stay in zip(getattr(holder, name), kept, strict=True) if stay])
    return textwrap.indent(ast.unparse(statement), " " * statement.col_offset) + "\n"
