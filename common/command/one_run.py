"""One name, one run: a folder that holds a run is not trained on by another recipe."""

import glob
import logging
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..claims import claimed_elsewhere
from ..engines import rank
from ..run_folder import CHECKPOINTS, ENCODER, LOCK, MODEL
from .changes import NOT_OF_THE_RECIPE
from .fixed_keys import way_on
from .given import merged_config
from .run_files import RunFiles, plain, read_run_files
from .stages import current_stage
from .terminal import log_to

logger = logging.getLogger(__name__)
RESULTS = (f"{CHECKPOINTS}/*.pt", MODEL, ENCODER)
SHOWN = 10
"""Changes that are listed; a recipe of another bundle would differ in a hundred."""
ABSENT = object()


def open_run(run_dir: str | Path, resume: bool = False) -> None:
    """Begin or go on with a run, whose log is `RUN_DIR/train.log`; it stands first in a recipe's `run`.

    The same command again goes on where the run stopped. With another recipe it is refused, before anything is built,
    unless `resume` says that it shall go on all the same, as with more epochs. Places (`dataset_dir` where it leads to
    the same folder, `output_root`) and processes (`num_workers`, `device`) may change.

    Args:
        run_dir: of the run.
        resume: true lets a run go on by a changed recipe.

    Raises:
        SystemExit: the folder holds a run of another recipe; the message says what differs and what to do.
    """
    folder, config = Path(run_dir), merged_config()
    if config is None:  # a program of its own, such as a federated client
        return
    before, found = read_run_files(folder), []
    if before is not None and any(any(folder.glob(pattern)) for pattern in RESULTS):
        found = list(differences(before, config))
    changes = [f"  {key}: {_shown(old)} -> {_shown(new)}" for key, old, new in found[:SHOWN]]
    if len(found) > SHOWN:
        changes.append(f"  and {len(found) - SHOWN} more")
    if changes and not resume:
        told = [f"Nothing was run: {folder} holds a run of another recipe.", *changes]
        told.append(f"For a new run: --run_name {_free_name(folder)}. {way_on([key for key, _, _ in found])}")
        raise SystemExit(1 if rank() else "\n".join(told))  # the first process speaks for all
    if rank() == 0 and claimed_elsewhere(folder / CHECKPOINTS / LOCK):
        raise SystemExit(
            f"Nothing was run: another process is training in {folder}, and its log is left alone.\n"
            "Wait for it, or choose another --run_name."
        )
    log_to(folder)
    if changes:
        logger.info("\n".join([f"Going on in {folder} by a changed recipe:", *changes]))


def differences(before: RunFiles, config: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Keys of which a run's recipe had another value, with both values.

    Args:
        before: what the run's folder says.
        config: merged, of the command that wants to go on.
    """
    old, new = dict(_leaves(before.config)), dict(_leaves(plain(config)))
    for key in [*old, *(key for key in new if key not in old)]:
        if key.partition("#")[0] in NOT_OF_THE_RECIPE:
            continue
        one, other = old.get(key, ABSENT), new.get(key, ABSENT)
        if one != other and not _same_place(one, other, before.cwd):
            yield key, one, other


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, f"{name}#{key}" if name else str(key))
    else:
        yield name, value


def _same_place(one: Any, other: Any, cwd: str) -> bool:
    if not (isinstance(one, str) and isinstance(other, str)) or one[:1] in "$@%":
        return False
    return (Path(cwd) / one).resolve() == Path(other).resolve()


def _shown(value: Any) -> str:
    text = "(absent)" if value is ABSENT else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _free_name(folder: Path) -> str:
    stage = current_stage()
    name = folder.name if stage is None else stage.parent  # to which each stage adds its own
    number = 2
    while any(folder.parent.glob(f"{glob.escape(name)}-{number}*")):
        number += 1
    return shlex.quote(f"{name}-{number}")
