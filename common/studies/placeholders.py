"""Text in a study file that stands for something known later."""

import re
from collections.abc import Callable, Mapping
from typing import Any

PLACEHOLDER = re.compile(r"\{(seed|epochs|labels|data|run_dir|encoder|runs|encoders)(?:\[([^\[\]{}]+)\])?\}")


def fill(value: Any, resolve: Callable[[str, str | None], Any]) -> Any:
    """Replace placeholders in all text of a value; text that is one placeholder becomes what it stands for.

    Args:
        value: text, numbers, lists and mappings.
        resolve: gets a placeholder's name and what is in its brackets; None leaves it as it is.

    Example:
        >>> fill({"seed": "{seed}", "file": "{data[chests]}/seed{seed}"}, lambda name, _: 3 if name == "seed" else None)
        {'seed': 3, 'file': '{data[chests]}/seed3'}
    """
    if isinstance(value, Mapping):
        return {key: fill(item, resolve) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, resolve) for item in value]
    if not isinstance(value, str):
        return value
    if (whole := PLACEHOLDER.fullmatch(value)) and (found := resolve(*whole.groups())) is not None:
        return found

    def replaced(match: re.Match[str]) -> str:
        found = resolve(*match.groups())
        return match.group() if found is None else str(found)

    return PLACEHOLDER.sub(replaced, value)
