"""Text that MONAI's config language, or Fire's command line, would read as syntax though it is a name.

MONAI turns every `#` of a plain text into `::`, since that separates its ids; Fire takes ` #` for the beginning of a
comment, `a,b` for a tuple and `2024` for a number. Folders have such names.
"""

import ast
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai.bundle import ReferenceResolver

PATH_KEY = re.compile(
    r"(?:^|[_#:])(?<!drop_)(?:dir|directory|folder|root|file|path)$"
)  # a network's drop_path is a number
SYNTAX = "$%@"
"""First characters of an expression, a macro and a reference."""


def given_paths(arguments: Sequence[str]) -> dict[str, Any]:
    """Values of a command line's path keys, to the letter.

    Quoted texts and lists are read as Fire reads them, and what begins like an expression, macro or reference is one
    unless there is a file of that name.

    Args:
        arguments: words of the command line.
    """
    found = {}
    for word, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        key, has_value, value = word.removeprefix("--").partition("=")
        key = key.replace("-", "_")
        if not word.startswith("--") or PATH_KEY.search(key) is None or key == "config_file":
            continue
        text = value if has_value else following
        if (has_value or not following.startswith("--")) and _is_literal(text):
            found[key] = text
    return found


def literally(text: str) -> str:
    """An expression of MONAI's language whose value is this text."""
    return "$'" + "".join(c if c.isalnum() or c in " /._-" else _escaped(c) for c in text) + "'"


def literal_texts(config: Any) -> Any:
    """A config in which plain texts with a `#` are expressions of the same value."""
    if isinstance(config, dict):
        return {k: v if str(k).startswith("_") else literal_texts(v) for k, v in config.items()}
    if isinstance(config, list):
        return [literal_texts(value) for value in config]
    return literally(config) if _is_split(config) else config


def read_literally(paths: dict[str, Any]) -> None:
    """Let the config that is being evaluated take these paths as they are.

    Called from an expression of the config, ahead of those that use the paths. MONAI gives expressions no access to
    what evaluates them; it is found among the callers.

    Args:
        paths: texts by id, `::` between its keys.
    """
    resolver = _resolver()
    if resolver is None:
        return
    from monai.bundle import ConfigExpression

    for parent, item in list(resolver.items.items()):
        config: Any = item.get_config()
        if not isinstance(config, dict | list):
            continue
        for key, id_, _ in list(resolver.iter_subconfigs(parent, config)):
            place: Any = key
            if id_ in paths:
                config[place] = literally(paths[id_])
                resolver.items[id_] = ConfigExpression(config[place], id_)


def _resolver() -> "ReferenceResolver | None":
    from monai.bundle import ReferenceResolver

    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, ReferenceResolver):
            return caller
        frame = frame.f_back
    return None


def _is_split(value: Any) -> bool:
    """Whether MONAI would change a plain text."""
    return isinstance(value, str) and "#" in value and value[0] not in SYNTAX


def _is_literal(text: str) -> bool:
    if not text or _exists(text):
        return bool(text)
    if text[0] in SYNTAX or text in ("None", "True", "False"):
        return False
    if text[0] not in "[({'\"":
        return True
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return True
    return False


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
