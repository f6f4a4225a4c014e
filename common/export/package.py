"""A package of `common`: what its `__init__` offers, and the same file with less to offer."""

import ast
import textwrap
from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

from .imports import Parts, Target, assigned, for_types, tables_of, targets

LADDER = "LADDER"


class Package:
    """An `__init__`: names that it takes from modules, names by which it imports modules later, and code of its own.

    Args:
        path: the file.
        parts: the package's name below `common`.
    """

    def __init__(self, path: Path, parts: Parts):
        self.path, self.parts = path, parts
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)

    @cached_property
    def tables(self) -> dict[str, dict[str, Parts]]:
        """Dicts by which modules are imported when first asked for: table -> key -> module."""
        wanted = set(tables_of(self.tree))
        return {
            name: {key: (*self.parts, *module.split(".")) for key, module in ast.literal_eval(statement.value).items()}
            for statement in self.tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
            if (name := assigned(statement)) in wanted and name is not None
        }

    @cached_property
    def offers(self) -> dict[str, Target]:
        """Name, or key of a table -> what it stands for, where that lies elsewhere."""
        found: dict[str, Target] = {}
        for table in self.tables.values():
            found |= {key: Target(module, key) for key, module in table.items()}
        for statement in self._imports:
            for bound, (module, name) in targets(statement, self.parts):
                own = module == self.parts  # `from . import module`
                found[bound] = Target((*module, name or ""), None) if own else Target(module, name)
        return found

    @cached_property
    def defines(self) -> set[str]:
        """Names of its own code."""
        kinds = ast.FunctionDef | ast.ClassDef
        return {s.name if isinstance(s, kinds) else assigned(s) or "" for s in self._own} - {""}

    @property
    def needs(self) -> Iterator[Target]:
        """What its own code cannot do without."""
        nodes = [node for statement in self._own for node in ast.walk(statement)]
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        yield from (Target(self.parts, name) for name in self.offers if name in used)
        yield from (target for node in nodes for _, target in targets(node, self.parts))

    def trimmed(self, keeps: Collection[str], steps: Collection[str] = ()) -> str:
        """The file's text without the names that are not kept.

        Args:
            keeps: names, and keys of tables.
            steps: those of the ladder, where this is `common` itself.
        """
        lines = self.source.splitlines(keepends=True)
        for statement in sorted(self._statements(), key=lambda statement: -statement.lineno):
            changed = self._less(statement, set(keeps), steps)
            if changed is not None:
                lines[statement.lineno - 1 : statement.end_lineno] = [changed]
        return "".join(lines)

    def _less(self, statement: ast.stmt, keeps: set[str], steps: Collection[str]) -> str | None:
        """What takes a statement's place; None: it stays."""
        gone = self.offers.keys() - keeps
        name = assigned(statement)
        if for_types(statement):
            bound = {name for inner in statement.body for name, _ in targets(inner, self.parts)}  # type: ignore[attr-defined]
            return "" if bound <= gone else None
        if statement in self._imports:
            return _spelled(statement, "names", lambda alias: (alias.asname or alias.name) not in gone)
        if name in self.tables or name == "__all__":
            return _spelled(statement, "elts" if name == "__all__" else "keys", lambda key: key.value not in gone)
        if name == LADDER and not self.parts:
            return _spelled(statement, "elts", lambda step: step.value in steps)
        return None

    @cached_property
    def _imports(self) -> list[ast.stmt]:
        return [s for s in self._statements() if isinstance(s, ast.ImportFrom) and s.level]

    @cached_property
    def _own(self) -> list[ast.stmt]:
        names = {"__all__", *self.tables, *([] if self.parts else [LADDER])}
        return [s for s in self.tree.body if s not in self._imports and not for_types(s) and assigned(s) not in names]

    def _statements(self) -> list[ast.stmt]:
        inside = [inner for s in self.tree.body if for_types(s) for inner in s.body]  # type: ignore[attr-defined]
        return [*self.tree.body, *inside]


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
