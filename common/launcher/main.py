"""The commands by name."""

import sys
from collections.abc import Callable, Sequence

from . import afterwards, compare, explain, listing, run
from .errors import UsageError, choose

COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run.run,
    "evaluate": afterwards.evaluate,
    "infer": afterwards.infer,
    "export": afterwards.export,
    "compare": compare.compare,
    "list": listing.list_,
}
ABOUT = {
    "run": (run.USAGE, run.HELP),
    "evaluate": (afterwards.EVALUATE_USAGE, afterwards.EVALUATE_HELP),
    "infer": (afterwards.INFER_USAGE, afterwards.INFER_HELP),
    "export": (afterwards.EXPORT_USAGE, afterwards.EXPORT_HELP),
    "compare": (compare.USAGE, compare.HELP),
    "list": (listing.USAGE, listing.HELP),
    "help": (explain.USAGE, explain.HELP),
}


def main(arguments: Sequence[str]) -> int:
    """Do what a command line says.

    Args:
        arguments: after `python -m common`.

    Returns:
        The exit status: 2 for a command that cannot be run, which is told in two lines.
    """
    name, rest = (arguments[0], list(arguments[1:])) if arguments else ("help", [])
    try:
        if name in ("help", "--help", "-h"):
            return explain.explain(rest, ABOUT)
        if name not in COMMANDS:
            raise UsageError(f"There is no command {name}.", choose(name, ABOUT))
        if "--help" in rest or "-h" in rest:
            return explain.explain([name], ABOUT)
        return COMMANDS[name](rest)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # `python -m common list | head`
        sys.stderr.close()
        return 0
