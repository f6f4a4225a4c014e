"""What can be told of a mistyped command before MONAI is started, which takes a quarter of a minute to import.

Only what is certain without a component's signature is refused here; all else is for `refuse_unknown_keys`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..command.nearest_keys import nearest, references, split, suggestion
from ..command.recipe import completed
from ..overlay_readers import told_by_overlays
from .data_sets import data_sets
from .errors import UsageError, choose

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OF_MONAI = {
    *("args_file", "config_file", "final_id", "init_id", "logging_file", "meta_file", "properties_path", "run_id"),
    *("tracking", "workflow_name", "workflow_type", "bundle_root", "dataset", "dataset_dir", "device", "evaluator"),
    *("handlers", "inferer", "key_metric", "network_def", "postprocessing", "preprocessing", "val_interval"),
}
"""What a recipe need not have: arguments of `monai.bundle run`, and properties of its workflows."""
DATA_SET = ("dataset", "probe_dataset")
OPTIONS = "dataset_options"
"""Whose keys the reader knows."""


def refuse_mistyped(files: Sequence[Path], overrides: Mapping[str, str]) -> None:
    """Refuse overrides that no config of the command has a place for, and data sets that nothing reads.

    Args:
        files: of the command, the recipe first.
        overrides: typed values by key.

    Raises:
        UsageError: names the nearest key or data set.
    """
    if {"args_file", "tracking"} & set(overrides):  # which bring keys of their own
        return
    layers = [_read(file) for file in files]
    if None in layers:
        return
    config, *laid_over = [layer for layer in layers if layer is not None]
    config = completed(config)
    names = set(references([config, laid_over, list(overrides.values())]))
    for layer in laid_over:
        for key, value in layer.items():
            _lay(config, split(key.removeprefix("+")), value)
    problems = [f"--{key}: {found}" for key in overrides for found in _problems(config, split(key), names)]
    if problems:
        raise UsageError("Nothing was run, since the command does not fit its config:", "\n".join(problems))
    _refuse_data_sets(overrides)


def _refuse_data_sets(overrides: Mapping[str, str]) -> None:
    known = {data_set.name for data_set in data_sets()}
    for key in DATA_SET:
        name = overrides.get(key, "")
        if name.isidentifier() and name not in known:
            told = told_by_overlays(name)
            raise UsageError(
                f"--{key}: there is no reader {name}.", f"{told}." if told else choose(name, sorted(known))
            )


def _problems(config: Any, path: Sequence[str], names: set[str]) -> Iterator[str]:
    node = config
    for depth, key in enumerate(path):
        if isinstance(node, Mapping) and key in node:
            node = node[key]
        elif not isinstance(node, Mapping) or not node or "_target_" in node:
            return
        elif depth == 0:
            if key not in OF_MONAI and "#".join(path) not in names:
                yield suggestion(config, list(node), key, "")
            return
        else:
            options = all(not isinstance(value, dict | list) for value in node.values())
            may_be_new = depth == len(path) - 1 and options and not nearest(key, node)
            if not may_be_new and path[0] != OPTIONS and "#".join(path) not in names:
                yield suggestion(config, list(node), key, "#".join(path[:depth]))
            return


def _lay(config: Any, path: Sequence[str], value: Any) -> None:
    """Lay a value over a config as far as its keys are concerned."""
    *above, last = path
    for key in above:
        if not isinstance(config, dict):
            return
        config = config.setdefault(key, {})
    if not isinstance(config, dict):
        return
    there = config.get(last)
    config[last] = {**there, **value} if isinstance(there, dict) and isinstance(value, dict) else value


def _read(file: Path) -> dict[str, Any] | None:
    """A config; None for one that is damaged, of which MONAI tells."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    return content if isinstance(content, dict) else None
