"""The `python -m monai.bundle run` command that started this process, and its merged config.

MONAI keeps both to itself: no handler and no expression of a config sees them. They are rebuilt from the command's
arguments with the public parts of Fire and of MONAI, so that they cannot differ from what MONAI made of them. Where
Python makes a workflow, they are the arguments of the call that is going on.
"""

import functools
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .callers import call_of, current_workflow
from .literal import given_paths, literally
from .recipe import completed

_described: ContextVar[dict[str, Any] | None] = ContextVar("described", default=None)


@dataclass(frozen=True)
class Command:
    """Config files and overrides of a command.

    Args:
        files: in the order in which they are merged.
        flags: overrides given on the command line, by key.
        args_file: file with default arguments, if any.
        defaults: overrides that come from it.
        tracking: value of `--tracking`, which adds keys of its own.
        paths: those of the flags that are paths, as they were typed.
    """

    files: tuple[str, ...]
    flags: Mapping[str, Any] = field(default_factory=dict)
    args_file: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tracking: Any = None
    paths: Mapping[str, Any] = field(default_factory=dict)


def current_command(argv: Sequence[str] | None = None) -> Command | None:
    """Read this process's arguments as MONAI did; None when it is no `monai.bundle run`.

    Args:
        argv: by default those of the process.
    """
    argv = sys.argv if argv is None else list(argv)
    if len(argv) < 2 or Path(argv[0]).parts[-3:] != ("monai", "bundle", "__main__.py"):
        return None
    from monai.bundle import ConfigWorkflow, run, run_workflow, update_kwargs

    functions: dict[str, Any] = {"run": run, "run_workflow": run_workflow}
    function = functions.get(argv[1])
    if function is None:
        return None
    given = _arguments(function, argv[2:])
    args_file = given.pop("args_file", None)
    arguments = update_kwargs(args=args_file, **given)
    files = arguments.pop("config_file", None)
    if files is None:
        return None
    # what is left after the arguments of MONAI itself overrides the config
    own = {*inspect.signature(function).parameters, *inspect.signature(ConfigWorkflow).parameters, "workflow_name"}
    overrides = {key: value for key, value in arguments.items() if key not in own}
    flags = {key: value for key, value in overrides.items() if key in given or f"+{key}" in given}
    defaults = {key: value for key, value in overrides.items() if key not in flags}
    paths = {key: value for key, value in given_paths(argv[2:]).items() if key in flags}
    return Command(_listed(files), {**flags, **paths}, args_file, defaults, arguments.get("tracking"), paths)


def calling_command() -> Command | None:
    """Files and overrides of the workflow that Python is making; None where none is being made.

    `monai.bundle.create_workflow` still has them while it initializes. A `ConfigWorkflow` that was made before, as by
    MONAI's federated client, remembers its folder and the merged config: what is at the top of the one and in no
    recipe of the other was given to it.
    """
    from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow
    from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

    call = call_of(create_workflow)
    if call is not None and call.f_locals.get("config_file") is not None:
        own = {*inspect.signature(create_workflow).parameters, *inspect.signature(ConfigWorkflow).parameters}
        given = call.f_locals["_args"]
        flags = {key: value for key, value in given.items() if key not in own}
        return Command(_listed(call.f_locals["config_file"]), flags, tracking=given.get("tracking"))
    workflow = current_workflow()
    if workflow is None:
        return None
    names = ("train", "evaluate", "inference")
    if workflow.get_workflow_type() == "infer":
        names = names[::-1]
    places = [workflow.config_root_path / f"{name}{suffix}" for name in names for suffix in (".json", ".yaml", ".yml")]
    recipes = [place for place in places if place.is_file()]
    if not recipes:
        return None
    config = workflow.parser.get()
    added: Any = DEFAULT_MLFLOW_SETTINGS["configs"]  # by MONAI itself, where it tracks
    known = {key.partition("#")[0] for file in recipes for key in completed(ConfigParser.load_config_file(file))}
    known |= {ConfigParser.meta_key, *added, *re.findall(r"[@%](\w+)", str(config))}
    return Command((str(recipes[0]),), {key: value for key, value in config.items() if key not in known})


def merged_config(config_file: str | Sequence[str] | None = None, **override: Any) -> dict[str, Any] | None:
    """Merged config of this command, macros resolved; None when the process is no `monai.bundle run`.

    Within one of several stages, that of the stage.

    Args:
        config_file: files to merge instead of the command's, for programs that call MONAI themselves.
        override: values by key, like a command's flags.
    """
    from monai.bundle import ConfigParser

    stage = _described.get()
    if stage is not None and config_file is None:
        return dict(stage)
    command = current_command() if config_file is None else Command(_listed(config_file), override)
    if command is None:
        return None
    parser = ConfigParser(globals=False)
    parser.read_config(list(command.files))
    literal = {key: literally(value) for key, value in command.paths.items()}
    parser.update({**command.defaults, **command.flags, **literal})
    parser.set(completed(parser.get()))
    parser.resolve_macro_and_relative_ids()
    parser.update(dict(command.paths))
    return {key: value for key, value in parser.get().items() if key != ConfigParser.meta_key}


@contextmanager
def described_as(config: dict[str, Any]) -> Iterator[None]:
    """Let `merged_config` give this config, of which a command runs several, while the block lasts."""
    token = _described.set(config)
    try:
        yield
    finally:
        _described.reset(token)


def _arguments(function: Any, command: Sequence[str]) -> dict[str, Any]:
    """Arguments by name as Fire passes them to a function."""
    import fire

    given: dict[str, Any] = {}

    @functools.wraps(function)
    def remember(*positional: Any, **named: Any) -> None:
        given.update(inspect.signature(function).bind(*positional, **named).arguments)

    fire.Fire(remember, command=list(command))
    for keyword in [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_KEYWORD]:
        given.update(given.pop(keyword, {}))
    return {key: value for key, value in given.items() if value is not None}  # as MONAI does


def _listed(files: Any) -> tuple[str, ...]:
    """Config files as MONAI lists them: one, several, or several in one string with commas."""
    if isinstance(files, str) and not Path(files).is_file() and "," in files:
        files = files.split(",")
    return (str(files),) if isinstance(files, str | Path) else tuple(str(file) for file in files)
