"""The cause of an error as the last thing on the screen.

MONAI wraps an error of a config expression twice and prints some hundred lines; what the user needs is the first error,
at the top.
"""

import sys
from types import TracebackType


def install() -> None:
    """Let errors that end this process print their cause once more, at the end."""
    if sys.excepthook is not _report:
        sys.excepthook = _report


def cause(error: BaseException) -> BaseException:
    """The error from which another one came."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if isinstance(cause(error), KeyboardInterrupt):
        print("Interrupted. The same command goes on from the last checkpoint.", file=sys.stderr)
        return
    sys.__excepthook__(kind, error, traceback)
    first = cause(error)
    print(f"\n{type(first).__name__}: {first}", file=sys.stderr)
