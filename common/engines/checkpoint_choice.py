"""Which checkpoint a run goes on from."""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ..files import link_atomically
from .errors import CheckpointError
from .soundness import DamagedCheckpoint, check_moments, read_checkpoint

logger = logging.getLogger(__name__)
LONGEST_REASON = 200  # letters


def choose(candidates: Iterable[Path], take: Callable[[Path], None]) -> tuple[Path | None, str | None]:
    """Load the first checkpoint that is sound and fits; those passed over for it are renamed to `.torn`.

    Args:
        candidates: best first.
        take: loads one; raises `DamagedCheckpoint` for a file that is not sound, `CheckpointError` for one of
            another recipe.

    Returns:
        the file, or None; and then why the run cannot begin, where none fits though one is sound.
    """
    unfit: dict[Path, str] = {}
    for path in candidates:
        try:
            take(path)
        except DamagedCheckpoint as error:
            _set_aside(path, str(error))
        except CheckpointError as error:
            unfit[path] = str(error)
        else:
            for other, problem in unfit.items():
                _set_aside(other, problem)
            return path, None
    return None, next(iter(unfit.values()), None)


def load_states(
    content: Mapping[str, Any],
    path: Path,
    epoch_length: int,
    network: nn.Module,
    optimizer: Optimizer,
    extra: Mapping[str, Any],
) -> None:
    """Put a checkpoint's states into what a run trains.

    Args:
        content: of the checkpoint.
        path: for messages.
        epoch_length: iterations per epoch of this run.
        network: unwrapped.
        optimizer: of the network.
        extra: further objects by name; what the checkpoint lacks stays as it is.

    Raises:
        CheckpointError: it is one of another recipe.
    """
    saved = content["trainer"]
    if saved["epoch_length"] != epoch_length:
        raise CheckpointError(
            f"{path} was made with {saved['epoch_length']} iterations per epoch, this run has "
            f"{epoch_length}: the data, the batch size or the number of processes has changed. "
            "Restore them or choose another run_name"
        )
    try:
        network.load_state_dict(content["network"])
        optimizer.load_state_dict(content["optimizer"])
        check_moments(optimizer)
        for name, item in extra.items():
            if name in content["extra"]:
                item.load_state_dict(content["extra"][name])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not fit this run's network or optimiser, or what its handlers keep, so the recipe has "
            f"changed since: {_brief(error)}. Restore it or choose another run_name"
        ) from error


def restore_best(path: Path, of_iteration: Path, best: dict[str, float]) -> dict[str, float]:
    """See to it that `best.pt` is what is said of it: a process may be killed before it has named its best anew.

    Args:
        path: `best.pt`.
        of_iteration: checkpoint of the iteration that was best, if it is there.
        best: value and iteration of the best evaluation.

    Returns:
        the best whose weights are there: `best`, or what `path` holds.
    """
    named = _best_in(path)
    if named == best:
        return best
    if _best_in(of_iteration) == best:
        link_atomically(of_iteration, path)
        return best
    logger.warning(
        "The best weights so far, those of iteration %d, are lost: %s is missing or damaged. %s.",
        best["iteration"],
        path,
        f"Those of iteration {named['iteration']} count as the best" if named else "The next evaluation counts",
    )
    return named


def _best_in(path: Path) -> dict[str, float]:
    """Value and iteration of the best evaluation, where these are the weights that had it; otherwise empty."""
    try:
        content = read_checkpoint(path)
    except DamagedCheckpoint:
        return {}
    best = dict(content["best"])
    return best if best.get("iteration") == content["trainer"]["iteration"] else {}


def _brief(error: Exception) -> str:
    """The beginning of an error: PyTorch names every key of a network that does not fit."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ..."


def _set_aside(path: Path, problem: str) -> None:
    """Under another name a damaged file is not counted as kept."""
    logger.warning("Skipping the damaged checkpoint %s (%s); it is renamed to %s.torn.", path, problem, path)
    path.rename(f"{path}.torn")
