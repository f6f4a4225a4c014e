"""Several trainings after each other, by one command.

A curriculum (Adam's levels, LeADER's two stages) is a list of changes to one recipe. Each stage is a training of its
own with its own folder, checkpoints and MLflow run, so that a stage can also be run alone, and a killed curriculum goes
on in the stage where it stopped.
"""

import copy
import gc
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .given import Command, current_command, described_as, merged_config
from .known_keys import unknown_keys
from .literal import literal_texts, literally
from .recipe import completed

if TYPE_CHECKING:
    from monai.bundle import ConfigWorkflow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """The stage that is being trained.

    Args:
        name: as the config calls it.
        number: counted from 1.
        count: stages of the whole command.
        parent: run name of the whole command.
    """

    name: str
    number: int
    count: int
    parent: str

    @property
    def is_last(self) -> bool:
        """Whether the command ends with this stage."""
        return self.number == self.count


_current: ContextVar[Stage | None] = ContextVar("stage", default=None)


def current_stage() -> Stage | None:
    """The stage that is being trained; None in a command of one training."""
    return _current.get()


def run_stages(stages: str = "stages") -> None:
    """Train the stages that a config lists, in order and in this process.

    It stands alone in the `run` of an overlay, and the recipe it is laid over has `stages`, `start_from`, `run_name`
    and `run_dir`. A stage is the command's merged config with the stage's values, with the recipe's own `run`, with
    `-<stage>` added to `run_name`, and with `start_from` set to the folder of the stage before. A finished stage is
    passed over, an unfinished one goes on from its newest checkpoint. Where the recipe has `checks`, a list of
    expressions, those of every stage are evaluated before the first is trained.

    Args:
        stages: key of the config; its value maps names of stages to values by key, like those of an overlay.

    Raises:
        RuntimeError: the process is no `monai.bundle run`.
        ValueError: no stages.
        SystemExit: a stage names a key that the recipe lacks, as `refuse_unknown_keys` does, or overrules a flag.
    """
    command = current_command()
    if command is None:
        raise RuntimeError("run_stages rebuilds the config of a `python -m monai.bundle run` command; start it as one")
    config: dict[str, Any] = merged_config() or {}
    listed = config.get(stages)
    if not isinstance(listed, Mapping) or not listed:
        raise ValueError(f"`{stages}` is {listed!r}; give the stages by name, each with the keys that it changes")
    _check(command, stages, listed)

    own_run = _first_run(command)
    parent = _run_name(config)
    for name, values in listed.items():
        _try(command, _staged(config, stages, own_run, name, values or {}, None), name)
    before: str | None = None
    for number, (name, values) in enumerate(listed.items(), 1):
        stage = Stage(name, number, len(listed), parent)
        changes = ", ".join(f"{key} {value}" for key, value in (values or {}).items())
        logger.info("Stage %d of %d: %s (%s).", number, len(listed), name, changes or "the recipe as it is")
        before = _train(command, _staged(config, stages, own_run, name, values or {}, before), stage)


def _check(command: Command, stages: str, listed: Mapping[str, Any]) -> None:
    """Every key of every stage is known, and none contradicts the command line, before the first stage begins."""
    problems = [
        f"stage {name}: {line.strip().removeprefix('--')}"
        for name, values in listed.items()
        for line in unknown_keys(Command(command.files, {**command.flags, stages: None, **(values or {})}))
    ]
    problems += [
        f"--{flag}: stage {name} has a value of its own, which would win; give --{stages}#{name}#{key}"
        for flag in command.flags
        for name, values in listed.items()
        for key in values or {}
        if key.replace("::", "#") == flag.removeprefix("+").replace("::", "#")
    ]
    if problems:
        raise SystemExit("\n".join(["Nothing was run, since the stages do not fit their command:", *problems]))


def _try(command: Command, config: dict[str, Any], name: str) -> None:
    """Evaluate a stage's `checks`, so that what it lacks is not found out when the stages before it are trained."""
    if "checks" not in config:
        return
    try:
        _workflow(command, config).parser.get_parsed_content("checks")
    except Exception as error:
        error.add_note(f"This is stage {name}; nothing was trained.")
        raise


def _first_run(command: Command) -> Any:
    from monai.bundle import ConfigParser

    return completed(ConfigParser.load_config_file(command.files[0]))["run"]


def _run_name(config: Mapping[str, Any]) -> str:
    from monai.bundle import ConfigParser

    own = __name__.partition(".")[0]  # what `$import common` of `initialize` gives to expressions
    parser = ConfigParser(copy.deepcopy(dict(config)), globals={own: own})
    return str(parser.get_parsed_content("run_name"))


def _staged(
    config: Mapping[str, Any], stages: str, run: Any, name: str, values: Mapping[str, Any], before: str | None
) -> dict[str, Any]:
    from monai.bundle import ConfigParser

    whole_name = config["run_name"]
    is_expression = str(whole_name).startswith("$")
    parser = ConfigParser(copy.deepcopy(dict(config)), globals=False)
    changed = {
        "run": run,
        stages: None,
        "run_name": f"$({whole_name[1:]}) + '-{name}'" if is_expression else f"{whole_name}-{name}",
        **({"start_from": before} if before is not None else {}),
        **values,
    }
    parser.update(changed)
    parser.resolve_macro_and_relative_ids()
    return {key: value for key, value in parser.get().items() if key != ConfigParser.meta_key}


def _train(command: Command, config: dict[str, Any], stage: Stage) -> str:
    """Run one stage and return its folder; `finalize` is left to the command, whose process goes on."""
    workflow = _workflow(command, config)
    with _as_current(stage), described_as(config):
        workflow.initialize()
        workflow.run()
        directory = str(workflow.parser.get_parsed_content("run_dir"))
    del workflow
    gc.collect()  # engines and their handlers refer to each other, and a store or a GPU's memory hangs on them
    return directory


def _workflow(command: Command, config: dict[str, Any]) -> "ConfigWorkflow":
    """A stage's config as MONAI would hold it, had it been in files."""
    from monai.bundle import ConfigParser, ConfigWorkflow

    workflow = ConfigWorkflow(config_file=command.files[0], workflow_type="train")
    metadata = workflow.parser.get(ConfigParser.meta_key, {})
    paths = {key: literally(value) for key, value in command.paths.items() if config.get(key) == value}
    workflow.parser = ConfigParser({**literal_texts(config), **paths, ConfigParser.meta_key: metadata})
    return workflow


@contextmanager
def _as_current(stage: Stage) -> Iterator[None]:
    token = _current.set(stage)
    try:
        yield
    finally:
        _current.reset(token)
