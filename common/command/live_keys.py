"""Which keys of a config are used by what is not disabled."""

from collections.abc import Iterator, Mapping
from typing import Any

from .nearest_keys import references, split
from .places import is_plain, lookup


def live_references(config: Mapping[str, Any]) -> Iterator[str]:
    """Ids that references and expressions use, except those within components that are disabled.

    Args:
        config: merged. A component whose `_disabled_` asks for more than plain values may be disabled, and is left out:
            to know it would be to build what it asks for.
    """
    yield from _live(config, config, [])


def _live(node: Any, config: Mapping[str, Any], path: list[str]) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "_disabled_" not in node or not _is_disabled(config, [*path, "_disabled_"]):
            for key, item in node.items():
                yield from _live(item, config, [*path, str(key)])
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _live(item, config, [*path, str(index)])
    else:
        yield from references(node)


def _is_disabled(config: Mapping[str, Any], path: list[str]) -> bool:
    from monai.bundle import ConfigParser

    said = lookup(config, path)
    if isinstance(said, str) and not is_plain(said):
        asked = [lookup(config, split(name)) for name in references(said)]
        if not all(_is_constant(value) for value in asked):
            return True
        try:
            said = ConfigParser(dict(config), globals=False).get_parsed_content("#".join(path))
        except Exception:  # whatever it asks for, such as a module that the recipe imports
            return True
    return said.strip().lower() == "true" if isinstance(said, str) else bool(said)  # as MONAI reads it


def _is_constant(value: Any) -> bool:
    return is_plain(value) if isinstance(value, str) else not isinstance(value, Mapping | list)
