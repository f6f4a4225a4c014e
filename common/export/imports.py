"""What a Python file imports of `common`, by syntax tree."""

import ast
from collections.abc import Collection, Iterator
from typing import NamedTuple

from .rewrite import SHARED, ExportError

Parts = tuple[str, ...]
"""A dotted name below `common`: ("losses", "classification")."""


class Target(NamedTuple):
    """What an imported name stands for.

    Args:
        module: that it is taken from.
        name: in the module; None: the module itself, or everything in it.
    """

    module: Parts
    name: str | None


def targets(node: ast.AST, package: Parts | None = None) -> Iterator[tuple[str, Target]]:
    """The names that an import statement binds to something of `common`; other nodes bind none.

    Args:
        node: any node.
        package: where the file lies below `common`; None: outside, where relative imports lead elsewhere.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            first, *rest = alias.name.split(".")
            if first == SHARED:
                yield alias.asname or first, Target(tuple(rest), None)
    elif isinstance(node, ast.ImportFrom):
        module = tuple(node.module.split(".")) if node.module else ()
        if node.level and package is not None:
            module = (SHARED, *package[: len(package) - node.level + 1], *module)
        if module[:1] == (SHARED,) and (not node.level or package is not None):
            for alias in node.names:
                yield alias.asname or alias.name, Target(module[1:], None if alias.name == "*" else alias.name)


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if not for_types(node):
            yield node
            yield from at_run_time(node)


def for_types(node: ast.AST) -> bool:
    """Whether the node is an `if TYPE_CHECKING`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def assigned(node: ast.AST) -> str | None:
    """The one name that a statement assigns to."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return None


def bound(statement: ast.stmt) -> set[str]:
    """Names that a statement at a file's top binds there."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    nodes = list(ast.walk(statement))
    inner = {name for node in nodes[1:] if isinstance(node, ast.Import | ast.ImportFrom) for name in bound(node)}
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return inner | defined | {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def tables_of(tree: ast.AST) -> set[str]:
    """Names of the dicts by whose values the file imports modules: `import_module(f".{TABLE[key]}", __name__)`."""
    return {table for _, table in _computed(tree) if table}


def refuse_computed(tree: ast.AST, where: str, tables: Collection[str]) -> None:
    """Raise ExportError where a module is imported by a computed name that cannot be followed.

    Args:
        tree: of a file.
        where: the file, for the error.
        tables: the dicts of `tables_of` whose values are known.
    """
    for line, table in _computed(tree):
        if table not in tables:
            raise ExportError(
                f"{where}:{line} imports a module by a computed name, which an export cannot follow. Write an import "
                'statement, or import_module(f".{TABLE[key]}", __name__) with a dict TABLE of texts in this file.'
            )


def _computed(tree: ast.AST) -> Iterator[tuple[int, str | None]]:
    """Line of each import by a computed name, and the dict that the name is taken from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            match node.args[0]:
                case ast.Constant():
                    continue
                case ast.JoinedStr(values=[ast.Constant("."), ast.FormattedValue(ast.Subscript(ast.Name(table)))]):
                    yield node.lineno, table
                case _:
                    yield node.lineno, None
