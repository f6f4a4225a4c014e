"""Places in a config: what stands there, and which arguments of components its value reaches."""

from collections.abc import Iterator, Mapping, Sequence
from pydoc import locate
from typing import Any


def lookup(config: Any, path: Sequence[str]) -> Any:
    """What stands at a path; None where nothing does."""
    for key in path:
        if isinstance(config, list) and key.isdigit() and int(key) < len(config):
            config = config[int(key)]
        elif isinstance(config, Mapping) and key in config:
            config = config[key]
        else:
            return None
    return config


def reached(config: Any, path: Sequence[str]) -> Iterator[tuple[Any, str]]:
    """Arguments that get the value of an entry by plain references: `_target_` and name of each."""
    waiting, seen = ["#".join(path)], set()
    while waiting:
        entry = waiting.pop()
        seen.add(entry)
        for place, parent in _users(config, entry, []):
            if "_target_" in parent:
                yield parent["_target_"], place[-1]
            elif "#".join(place) not in seen:
                waiting.append("#".join(place))


def texts(node: Any, path: Sequence[str] = ()) -> Iterator[tuple[list[str], str]]:
    """Texts that MONAI takes as they are, with their paths."""
    if isinstance(node, str):
        if is_plain(node) and path and not path[-1].startswith("_"):
            yield list(path), node
    elif isinstance(node, Mapping | list):
        for key, item in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from texts(item, [*path, str(key)])


def is_plain(text: str) -> bool:
    """Whether it is no expression, reference or macro."""
    return not text.startswith(("$", "@", "%"))


def component(name: Any) -> Any:
    """The class or function of a `_target_`; None when it cannot be imported, which MONAI reports when it builds it."""
    if not isinstance(name, str) or not is_plain(name):
        return None
    try:
        return locate(name if "." in name else _monai_path(name))
    except Exception:  # whatever an import raises
        return None


def _users(node: Any, entry: str, path: list[str]) -> Iterator[tuple[list[str], Mapping[str, Any]]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if isinstance(value, str) and value.startswith("@") and value[1:].replace("::", "#") == entry:
                yield [*path, str(key)], node
            yield from _users(value, entry, [*path, str(key)])
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _users(item, entry, [*path, str(index)])


def _monai_path(name: str) -> str:
    from monai.bundle import ComponentLocator

    module = ComponentLocator().get_component_module_name(name)
    return f"{module[0] if isinstance(module, list) else module}.{name}"
