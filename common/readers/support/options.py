"""Options on the command line, of a reader or of a network."""

from collections.abc import Sequence
from typing import Any

import yaml

from ...files.errors import DatasetError


def parse_options(pairs: Sequence[str], flag: str = "--option") -> dict[str, Any]:
    """Turn `key=value` words into options; values are YAML, as in a recipe.

    Args:
        pairs: such as "classes=[NORMAL, PNEUMONIA]".
        flag: that takes them, for messages.

    Raises:
        DatasetError: a word without "=", or a value that is no YAML.
    """
    options = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found or not key:
            raise DatasetError(flag, f"{pair!r} is not key=value", "Write for example val_fraction=0.2")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise DatasetError(flag, f"{value!r} is no YAML value", "Quote it for the shell") from None
    return options
