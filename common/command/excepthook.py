"""What a user needs to know of an error, as the last line on the screen.

MONAI wraps an error of a config expression twice and prints some hundred lines. Of all these errors the collection's
own names the value and the remedy; where there is none, the first one tells most.
"""

import contextlib
import errno
import logging
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..files.errors import LeftOut
from .credentials import without_credentials
from .terminal import is_verbose, log_file, only_to_log

ROOT = Path(__file__).parents[2]
OWN_CODE = (Path(__file__).parents[1], ROOT if ROOT.name == "scripts" else ROOT / "bundles")  # the former in an export
OWN_LINE = re.compile(r"^(?:\w+\.)*(?:common|bundles|scripts)\.[\w.]+: .+$", re.MULTILINE)
IN_A_WORKER = "Original Traceback (most recent call last)"
REMEDIES = {
    errno.ENOSPC: "Free space or choose another output_root; the same command then continues.",
    errno.EDQUOT: "Your quota is used up: free space or choose another output_root; the same command then continues.",
    errno.EROFS: "Choose an output_root that can be written to.",
    errno.EACCES: "Check the permissions, or choose another folder.",
}
UNSAFE = "the file holds Python objects, which may run code when loaded. Give a file of tensors alone (a state dict)."


def install() -> None:
    """Let errors that end this process print what matters once more, at the end, and keep secrets out of all logs."""
    if sys.excepthook is not _report:
        sys.excepthook = _report
        make = logging.getLogRecordFactory()

        def record(*arguments: Any, **named: Any) -> logging.LogRecord:
            made = make(*arguments, **named)
            with contextlib.suppress(TypeError, ValueError):  # arguments that do not fit: logging says so itself
                made.msg, made.args = without_credentials(made.getMessage()), None
            if made.exc_info and made.exc_info[0] is not None:  # what a formatter would make of it
                made.exc_text = without_credentials("".join(traceback.format_exception(*made.exc_info)).rstrip())
            return made

        logging.setLogRecordFactory(record)


def cause(error: BaseException) -> BaseException:
    """The error from which another one came."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def last_line(error: BaseException) -> str:
    """One line for the user: the collection's own error wherever it is in the chain, or else the first one."""
    told = next((each for each in _chain(error) if _is_own(each)), None) or cause(error)
    text = str(told)
    if IN_A_WORKER in text:  # a data loader's worker raised it, and its traceback is all that is left
        own = OWN_LINE.findall(text)
        return own[-1] if own else text.strip().splitlines()[-1]
    if "weights_only" in text and not _is_own(told):  # PyTorch advises to load without protection
        text = UNSAFE
    remedy = REMEDIES.get(told.errno or 0, "") if isinstance(told, OSError) else ""
    return " ".join(f"{type(told).__name__}: {text} {remedy}".split())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it came from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_own(error: BaseException) -> bool:
    """Whether the collection's code raised it, and not a library that it called."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and any(Path(frames[-1].filename).is_relative_to(folder) for folder in OWN_CODE)


def _kept(text: str) -> Path | None:
    """A file of the system's temporary folder with a command's traceback, which has no log; None where none can be."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="traceback-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return None
    return Path(name)


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log = log_file()
    if any(isinstance(each, KeyboardInterrupt) for each in _chain(error)):
        saved = log is not None and any(log.parent.glob("checkpoints/*.pt"))
        print(f"Interrupted.{' The same command goes on from the last checkpoint.' if saved else ''}", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT)
    whole = without_credentials("".join(traceback.format_exception(kind, error, trace)))
    only_to_log(whole)
    if any(isinstance(each, LeftOut) for each in _chain(error)) and not is_verbose():  # nothing failed: no traceback
        print(without_credentials(last_line(error).removeprefix(f"{LeftOut.__name__}: ")), file=sys.stderr)
        return
    place = None if is_verbose() else log or _kept(whole)
    if place is None:
        print(whole, file=sys.stderr)
    else:
        print(f"The {'run' if log else 'command'} ended by an error, whose traceback is in {place}:", file=sys.stderr)
    print(without_credentials(last_line(error)), file=sys.stderr)
