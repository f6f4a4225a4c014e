"""Data inside configs: what comes from a file is never an expression.

MONAI evaluates a config: a text `$...` is Python, `@id` and `%id` stand for other entries or files, and a mapping with
`_target_` is a call. Names of classes from a table, or the description of an encoder from somebody's file, must stay
the text that they are when a program writes them into a config.
"""

import ast
import re
from collections.abc import Mapping
from typing import Any

# What MONAI would evaluate, refer to or rewrite: it also turns every `#` of a text into `::`.
_READ_BY_MONAI = re.compile(r"[$@%]|.*(#|[@%]::)", re.DOTALL)
_SYNTAX = re.compile(r"_[a-z]+_")  # `_target_`, `_mode_`, ...
_MARKS = {mark: f"\\x{ord(mark):02x}" for mark in "$@%#"}


def inert(data: Any, where: str) -> Any:
    r"""Data in the form in which a config that holds it gives back just this data, and runs nothing.

    A text that MONAI would evaluate becomes an expression that is a single Python string, its marks written as escapes:
    `@home` becomes `$'\x40home'`. Every other value stays as it is; tuples become lists.

    Args:
        data: texts, numbers, booleans, None, and lists and mappings of them.
        where: file and key, for the error.

    Raises:
        ValueError: a key that is no text or means something to MONAI, such as `_target_` or any with a `#`.
        TypeError: a value of any other kind.
    """
    if isinstance(data, str):
        if not _READ_BY_MONAI.match(data):
            return data
        return "$" + "".join(_MARKS.get(letter, letter) for letter in ascii(data))
    if isinstance(data, Mapping):
        return {_key(key, where): inert(value, f"{where}#{key}") for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [inert(value, f"{where}#{index}") for index, value in enumerate(data)]
    if data is None or isinstance(data, bool | int | float):
        return data
    raise TypeError(f"{where} is a {type(data).__name__}; a config can hold texts, numbers, lists and mappings.")


def literal(config: Any, where: str) -> Any:
    """The data that `inert` made a part of a config from, without evaluating anything.

    Args:
        config: as read from JSON.
        where: file and key, for the error.

    Raises:
        ValueError: it holds an expression, a reference or a component, which no data does.
    """
    if isinstance(config, str) and config.startswith(("$", "@", "%")):
        text = _string(config)
        if text is None:
            raise ValueError(
                f"{where} is {config[:80]!r}, which a config would evaluate; data holds plain values alone. Do not use "
                "this file unless you wrote it, and then write the value itself."
            )
        return text
    if isinstance(config, Mapping):
        return {_key(key, where): literal(value, f"{where}#{key}") for key, value in config.items()}
    if isinstance(config, list):
        return [literal(value, f"{where}#{index}") for index, value in enumerate(config)]
    return config


def is_inert(text: str) -> bool:
    """Whether an expression is nothing but the form that `inert` gives a text."""
    return text.startswith("$") and _string(text) is not None


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str) or _SYNTAX.fullmatch(key) or "#" in key or "::" in key:
        raise ValueError(f"{where} has the key {key!r}, which means something else in a config; rename it.")
    return key


def _string(expression: str) -> str | None:
    """What an expression of `inert` says; None for any other."""
    try:
        value = ast.literal_eval(expression[1:]) if expression[0] == "$" else None
    except (SyntaxError, ValueError):
        return None
    return value if isinstance(value, str) and inert(value, "") == expression else None
