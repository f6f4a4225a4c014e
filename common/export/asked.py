"""The names of `common` that a bundle's configs and code speak of, and the data sets."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..inert import is_inert
from .imports import Target, at_run_time, targets
from .rewrite import SHARED, TARGET, ExportError, import_statement

_NAMED = re.compile(rf"(?<![\w.@#]){SHARED}\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)")
_QUOTED = re.compile(r"""(["'])(\w+)\1""")


def of_config(config: Any) -> Iterator[str]:
    """What a config asks of `common`: targets, import statements, and dotted names in expressions."""
    if isinstance(config, dict):
        target = config.get(TARGET)
        if isinstance(target, str) and target.startswith(f"{SHARED}."):
            yield target.removeprefix(f"{SHARED}.")
    if isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from of_config(value)
    elif isinstance(config, str) and config.startswith("$") and not is_inert(config):
        if statement := import_statement(config):
            parts = [[*target.module, *([target.name] if target.name else [])] for _, target in targets(statement)]
            yield from (".".join(dotted) for dotted in parts if dotted)
        else:
            yield from _NAMED.findall(config)


def of_source(source: str, where: str) -> Iterator[Target]:
    """What a bundle's Python file asks of `common`.

    Raises:
        ExportError: it imports `common` itself, which does not tell what it needs.
    """
    for node in at_run_time(ast.parse(source)):
        for _, target in targets(node):
            if target == Target((), None):
                raise ExportError(f"{where} imports {SHARED} whole; write 'from {SHARED}.ROOM import NAME'.")
            yield target


def data_sets(bundle: Path, configs: Mapping[str, Any], known: Collection[str]) -> set[str]:
    """Names of readers that an export's configs or code speak of; inference names one that reads any folder.

    Args:
        bundle: folder of the bundle; its overlays stay there, so that their data sets do not count.
        configs: what is exported.
        known: names of all readers.
    """
    code = [path.read_text() for path in sorted((bundle / "scripts").rglob("*.py"))]
    texts = list(_texts(list(configs.values())))
    words = {word for text in (*texts, *code) for _, word in _QUOTED.findall(text)} | set(texts)
    return {name for name in known if name in words}


def _texts(config: Any) -> Iterator[str]:
    if isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _texts(value)
    elif isinstance(config, str):
        yield config
