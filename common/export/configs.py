"""From the files of a run to configs that stand alone: overlays merged, encoders described, machine paths left out."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..command import completed
from ..command.excepthook import cause
from ..inert import inert
from .rewrite import TARGET, ExportError

ENCODER_TARGET = "common.networks.build_encoder"
_ABSOLUTE = re.compile(r"^((sqlite|file):/*)?(/|~|[A-Za-z]:[\\/])")
PLACE = re.compile(r"^(run_name|\w+_(root|dir|file|path))$")  # top-level keys that say where a run reads and writes
_ABSENT = object()  # null is a value: encoder_file has it as its default
_MENTION = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")
_REFERENCE = re.compile(r"^@[\w#:]+$")


def merge_files(paths: Sequence[Path]) -> dict[str, Any]:
    """The config that `python -m monai.bundle run --config_file paths` works from.

    Raises:
        FileNotFoundError: a file is missing.
        ExportError: a key of an overlay has no parent in the files before it.
    """
    from monai.bundle import ConfigParser

    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"There is no config file {path}; check --config.")
    try:
        return deepcopy(completed(ConfigParser.load_config_files([str(path) for path in paths])))
    except KeyError as error:
        names = ", ".join(path.name for path in paths)
        raise ExportError(f"Cannot merge {names}: {error}. Name the base first, then its overlays.") from error


def read_config(path: Path) -> dict[str, Any]:
    """One config file, completed where it has a base; nested keys of an overlay stay as they are written."""
    from monai.bundle import ConfigParser

    return completed(ConfigParser.load_config_file(path))


def merge(config: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config with an overlay's keys set, nested ids and `+` merging as MONAI reads them."""
    from monai.bundle import ConfigParser
    from monai.bundle.utils import merge_kv

    parser = ConfigParser(deepcopy(dict(config)))
    for key, value in overlay.items():
        merge_kv(parser, key, deepcopy(value))
    return {key: value for key, value in parser.get().items() if key != "_meta_"}


def without_machine_paths(
    config: dict[str, Any],
    base: Mapping[str, Any],
    notices: list[str] | None = None,
    data: Collection[str] = (),
) -> dict[str, Any]:
    """A copy in which what belongs to one run on one machine is the bundle's own default again.

    Folders, files and the run's name are always those of the base, since a relative path is as foreign elsewhere as an
    absolute one. An absolute path in any other place takes the base's value of that place or, where the base has none,
    of the whole top-level key.

    Args:
        config: merged config of a run, its encoders already pinned.
        base: the bundle's own base config, with portable defaults.
        notices: receives a line for each place reset that is not reset always.
        data: top-level keys whose texts are no paths whatever they look like, such as names of classes.

    Raises:
        ExportError: an absolute path stands where the base has no portable default to return to.
    """
    config = deepcopy(config)
    for key in config.keys() & base.keys():
        if PLACE.match(key):
            config[key] = deepcopy(base[key])
    for keys, value in list(_leaves(config)):
        if keys[0] in data or not is_machine_path(_at(config, keys)):  # perhaps reset with its whole key
            continue
        reset, default = keys, _at(base, keys, _ABSENT)
        if default is _ABSENT:
            reset, default = keys[:1], base.get(str(keys[0]), _ABSENT)
        name = "#".join(map(str, keys))
        if default is _ABSENT:
            raise ExportError(
                f"{name} is {value}, a path of this machine, and the bundle's train.yaml has no {keys[0]} to return "
                "to. Pass the run's overlays by --config, without the one that names this path."
            )
        if any(is_machine_path(leaf) for _, leaf in _leaves(default)):
            raise ExportError(
                f"{name} is {value}, a path of this machine, and so is the bundle's default. Write a relative one into "
                "the bundle's config, or pass the run's overlays by --config, without the one that names this path."
            )
        _at(config, reset[:-1])[reset[-1]] = deepcopy(default)
        if notices is not None:
            notices.append(f"{name} was {value}, a path of this machine: {'#'.join(map(str, reset))} is reset.")
    return config


def describe_encoders(config: Mapping[str, Any], run_encoder: Any = None) -> dict[str, Any]:
    """Description of every encoder that a config builds, by the id of its entry.

    Args:
        config: a run's merged config; its encoder files are read where they still exist.
        run_encoder: description of the encoder that the run wrote, for entries whose own file is gone.

    Raises:
        ExportError: an encoder can neither be built nor told from the run's own file.
    """
    from monai.bundle import ConfigParser

    found = {}
    parser = ConfigParser(deepcopy(dict(config)))
    for keys in _encoder_entries(config):
        name = "#".join(map(str, keys))
        try:
            found[name] = parser.get_parsed_content(name).description
        except Exception as error:
            if run_encoder is None:
                raise ExportError(
                    f"Cannot tell the encoder of {name}: {cause(error)}. Pass --config with the run's overlays, and a "
                    "file that names an encoder_file which exists."
                ) from error
            found[name] = run_encoder
    return found


def pin_encoders(config: dict[str, Any], descriptions: Mapping[str, Any]) -> dict[str, Any]:
    """A copy whose encoders are built from what it says itself, without an encoder file.

    Only what the file told is filled in; what the config already says, by value or expression, stays. The file's key
    stays too, as null, so that another encoder can still be given.

    Args:
        config: merged config.
        descriptions: of `describe_encoders`; an id without an entry takes the only description there is.

    Raises:
        ExportError: several encoders are described, and none under this config's id.
    """
    from monai.bundle import ConfigParser

    pinned = deepcopy(config)
    for keys in list(_encoder_entries(config)):
        name = "#".join(map(str, keys))
        distinct = {description.to_json(): description for description in descriptions.values()}
        if name not in descriptions and len(distinct) != 1:
            raise ExportError(
                f"{name} builds an encoder that the training config does not describe under that id. Use the ids of "
                "train.yaml, or pass overlays by --config that do."
            )
        description = descriptions.get(name) or next(iter(distinct.values()))
        entry = _at(config, keys)
        parser = ConfigParser(deepcopy(config))
        if entry.get("file") is not None:
            _assign(pinned, keys, "file", None)
        for field in ("architecture", "options", "in_channels", "image_size", "mean", "std"):
            said = parser.get_parsed_content(f"{name}#{field}") if entry.get(field) is not None else None
            if said is None or said == {}:
                value = getattr(description, field)
                _assign(pinned, keys, field, inert(value, f"{name}#{field}"))
        _ask_config(pinned, name)
    return pinned


def _ask_config(config: dict[str, Any], name: str) -> None:
    """Let expressions that ask a built encoder for its description ask its entry, which now says the same.

    A client that holds a graph of the network cannot build it.
    """
    asks = re.compile(rf"@{re.escape(name)}\.description\.(?=\w)")
    for keys, value in list(_leaves(config)):
        if isinstance(value, str) and asks.search(value):
            _at(config, keys[:-1])[keys[-1]] = asks.sub(f"@{name}#", value)


def read_keys(config: Mapping[str, Any]) -> set[str]:
    """Top-level keys that running a config comes to: what its workflow's expressions refer to, and so on from there."""
    found: set[str] = set()
    waiting: list[tuple[str | int, ...]] = [("initialize",), ("run",), ("finalize",)]
    seen = set(waiting)
    while waiting:
        for _, value in _leaves(_at(config, waiting.pop())):
            for name in _MENTION.findall(value) if isinstance(value, str) else ():
                keys = tuple(re.split("#|::", name))
                found.add(keys[0])
                if keys not in seen:
                    seen.add(keys)
                    waiting.append(keys)
    return found


def _assign(config: dict[str, Any], keys: Sequence[str | int], field: str, value: Any) -> None:
    """Set a field, or the entry that it refers to, so that it stays one override on the command line."""
    entry = _at(config, keys)
    old = entry.get(field)
    if isinstance(old, str) and _REFERENCE.match(old):
        *parents, last = re.split("#|::", old[1:])
        _at(config, parents)[last] = value
    else:
        entry[field] = value


def _encoder_entries(config: Any) -> Iterator[tuple[str | int, ...]]:
    for keys, value in _leaves(config):
        if keys[-1] == TARGET and value == ENCODER_TARGET:
            yield keys[:-1]


def _leaves(config: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(config, Mapping):
        for key, value in config.items():
            yield from _leaves(value, (*keys, key))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from _leaves(value, (*keys, index))
    else:
        yield keys, config


def is_machine_path(value: Any) -> bool:
    """Whether a value is an absolute path, or the address of a file at one."""
    return isinstance(value, str) and _ABSOLUTE.match(value) is not None


def _at(config: Any, keys: Sequence[str | int], missing: Any = None) -> Any:
    for key in keys:
        try:
            config = config[int(key) if isinstance(config, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return missing
    return config
