"""The command line that a short form stands for: printed so that a shell takes it, and then run in this process."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from . import start
from .bundles import Bundle
from .mistyped import refuse_mistyped
from .words import values

MONAI = ("-m", "monai.bundle")
TORCHRUN = ("-m", "torch.distributed.run")


def monai_run(files: Sequence[Path], bundle: Bundle, overrides: Sequence[str]) -> list[str]:
    """Arguments of Python for `monai.bundle run`.

    Args:
        files: configs, in the order in which they are laid over each other.
        bundle: whose code it is.
        overrides: words that are passed on.

    Raises:
        UsageError: one of these is certainly mistyped.
    """
    refuse_mistyped(files, values(overrides))
    listed = "[" + ",".join(repr(near(path)) for path in files) + "]"
    config = near(files[0]) if len(files) == 1 else listed
    return [*MONAI, "run", "--config_file", config, "--bundle_root", near(bundle.folder), *overrides]


def in_processes(count: str, words: Sequence[str]) -> list[str]:
    """The same by `torchrun` on this machine: so many processes, or `gpu` for one on each GPU."""
    return [*TORCHRUN, "--standalone", f"--nproc_per_node={count}", *words]


def near(path: Path) -> str:
    """A path as seen from the working directory, where it lies below it."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  a link's own name is what a person knows
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def shown(words: Sequence[str]) -> str:
    """The line as a person would type it."""
    if tuple(words[:2]) == TORCHRUN:
        return " ".join(["torchrun", *map(_quoted, words[2:])])
    return " ".join(["python", *map(_quoted, words)])


def become(words: Sequence[str], dry_run: bool) -> int:
    """Print the line, and let it take this process's place: signals, exit status and last words are its own.

    Args:
        words: arguments of Python.
        dry_run: only print it.
    """
    if os.environ.get("RANK", "0") == "0":
        print(shown(words), flush=True)
    if not dry_run:
        os.execv(sys.executable, [sys.executable, *_quietly(words)])
    return 0


def _quietly(words: Sequence[str]) -> Sequence[str]:
    """The same command, without what MONAI tells of itself; `--verbose` has it all."""
    if tuple(words[:2]) != MONAI or values(words).get("verbose", "False") != "False":
        return words
    return ["-m", start.__name__, *words[2:]]


def _quoted(word: str) -> str:
    """As the shell needs it; in double quotes where single ones are in it, since that is easier to read."""
    return f'"{word}"' if "'" in word and not re.search(r'["$`\\!\n]', word) else shlex.quote(word)
