"""Rename the repository's packages to the exported bundle's: `bundles.NAME.scripts` and `common` go below `scripts`.

An exported bundle owns a single top-level package, `scripts`, as MONAI's other bundles do and as its clients expect.
"""

import ast
import re
from typing import Any

from ..inert import is_inert

VENDORED = "scripts"
SHARED = "common"
TARGET = "_target_"
_BARE_BUNDLE = re.compile(r"(?<![\w.])bundles\.")
_FILE_MACRO = re.compile(r"^%.*\.(json|ya?ml)\b", re.IGNORECASE)


class ExportError(ValueError):
    """A config or source file says something that has no portable form; the message names the place and the remedy."""


def rewrite_name(name: str, bundle: str, where: str) -> str:
    """The exported form of a dotted name; names outside the repository stay.

    Args:
        name: such as `bundles.cxr_ace.scripts.method.ACE`, `common.readers.read` or `torch.nn.Linear`.
        bundle: name of the bundle being exported.
        where: file and place, for the error.

    Raises:
        ExportError: the name belongs to another bundle.
    """
    own = f"bundles.{bundle}.{VENDORED}"
    if name == own or name.startswith(f"{own}."):
        return VENDORED + name[len(own) :]
    if name == SHARED or name.startswith(f"{SHARED}."):
        return f"{VENDORED}.{name}"
    if name == "bundles" or name.startswith("bundles."):
        raise ExportError(f"{where}: {name} lies outside {own}. Move what two bundles need to {SHARED}.")
    return name


def rewrite_config(config: Any, bundle: str, where: str) -> Any:
    """A copy of a config with every `_target_` and every import statement renamed.

    Expressions keep saying `common.images.f()`: the statement `$import common` becomes
    `$import scripts.common as common`, and binds the same name.

    Args:
        config: nested dicts and lists, as read from YAML.
        bundle: name of the bundle being exported.
        where: file name, for errors; the id inside the config is added.

    Raises:
        ExportError: an import that binds no usable name, a bundle's code named inside an expression, a macro that
            reads another file.
    """
    if isinstance(config, dict):
        return {key: _rewrite_entry(key, value, bundle, f"{where}#{key}") for key, value in config.items()}
    if isinstance(config, list):
        return [rewrite_config(value, bundle, f"{where}#{index}") for index, value in enumerate(config)]
    if isinstance(config, str) and config.startswith("$"):
        return _rewrite_expression(config, bundle, where)
    if isinstance(config, str) and _FILE_MACRO.match(config):
        raise ExportError(f"{where}: {config} reads another file, which the export leaves behind. Use an overlay.")
    return config


def _rewrite_entry(key: str, value: Any, bundle: str, where: str) -> Any:
    if key == TARGET and isinstance(value, str) and not value.startswith("$"):
        return rewrite_name(value, bundle, where)
    return rewrite_config(value, bundle, where)


def _rewrite_expression(text: str, bundle: str, where: str) -> str:
    statement = import_statement(text)
    if statement is None:
        if _BARE_BUNDLE.search(text) and not is_inert(text):
            raise ExportError(
                f"{where}: {text} names a bundle's module inside an expression. Import it with "
                f"'$import bundles.{bundle}.scripts.MODULE as MODULE' and use MODULE."
            )
        return text
    problem = import_problem(statement)
    if problem:
        raise ExportError(f"{where}: {text} {problem}")
    alias = statement.names[0]
    if isinstance(statement, ast.ImportFrom):
        module = rewrite_name(statement.module or "", bundle, where)
        if module == statement.module:
            return text
        return f"$from {module} import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
    name = rewrite_name(alias.name, bundle, where)
    return text if name == alias.name else f"$import {name} as {alias.asname or alias.name}"


def import_statement(text: str) -> ast.Import | ast.ImportFrom | None:
    """The import statement in a config's expression, by MONAI's own rule: the expression's first statement is one."""
    if "import" not in text:
        return None
    try:
        body = ast.parse(text[1:]).body
    except SyntaxError:  # `@` references are no Python
        return None
    return body[0] if body and isinstance(body[0], (ast.Import, ast.ImportFrom)) else None


def import_problem(statement: ast.Import | ast.ImportFrom) -> str | None:
    """Why MONAI would not bind what the statement says; None when it does."""
    if len(statement.names) > 1:
        return "imports several names, of which MONAI binds the first only. Write one statement each."
    alias = statement.names[0]
    if isinstance(statement, ast.Import) and "." in alias.name and alias.asname is None:
        return f"binds the name '{alias.name}', which no expression can use. Write 'import {alias.name} as ...'."
    return None


def rewrite_source(source: str, bundle: str, where: str) -> str:
    """The text of a bundle's Python file with its imports renamed, and nothing else changed.

    Args:
        source: contents of a file in the bundle's `scripts/`.
        bundle: name of the bundle being exported.
        where: file name, for errors.

    Raises:
        ExportError: another bundle is imported, or a dotted import whose name the code would have to spell anew.
    """
    lines = source.splitlines(keepends=True)
    for statement in _absolute_imports(source):
        place = f"{where}:{statement.lineno}"
        if isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            _replace(lines, statement, module, rewrite_name(module, bundle, place))
            continue
        for alias in statement.names:
            renamed = rewrite_name(alias.name, bundle, place)
            if renamed == alias.name:
                continue
            if alias.asname is None:
                raise ExportError(
                    f"{place}: import {alias.name} would change its name in the code; write 'from ... import ...'."
                )
            _replace(lines, statement, alias.name, renamed)
    return "".join(lines)


def _absolute_imports(source: str) -> list[ast.Import | ast.ImportFrom]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return [node for node in nodes if isinstance(node, ast.Import) or node.level == 0]


def _replace(lines: list[str], statement: ast.stmt, old: str, new: str) -> None:
    """Put `new` for the first whole `old` from the statement's start on."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(old)}(?![\w.])")
    for row in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
        start = statement.col_offset if row == statement.lineno - 1 else 0
        head, tail = lines[row].encode()[:start].decode(), lines[row].encode()[start:].decode()
        changed, count = pattern.subn(new, tail, count=1)
        if count:
            lines[row] = head + changed
            return
