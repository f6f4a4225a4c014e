"""What every command of a bundle does before it builds anything."""

from monai.utils import set_determinism

from ..engines import setup
from ..engines.host_memory import keep_freed_memory
from . import terminal
from .callers import current_workflow
from .given import current_command
from .given_files import refuse_missing_files
from .known_keys import refuse_unknown_keys
from .recipe import complete_workflow


def begin(seed: int | None = None) -> None:
    """Complete the recipe, refuse unknown keys and missing files, join the other processes, and fix the seeds.

    What the terminal shows is set up besides, and freed memory is kept. It stands first in a recipe's `initialize`,
    since a mistyped key shall be told before anything is read.

    Args:
        seed: of Python's, NumPy's and PyTorch's global generators; None leaves them alone, for inference.
    """
    complete_workflow()
    if current_command() is not None:
        terminal.set_up(verbose=_is_verbose())
    refuse_unknown_keys()
    refuse_missing_files()
    keep_freed_memory()
    if seed is not None:
        setup()
        set_determinism(seed=seed)


def _is_verbose() -> bool:
    workflow = current_workflow()
    return workflow is not None and bool(workflow.parser.get("verbose", False))
