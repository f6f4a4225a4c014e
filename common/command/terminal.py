"""What a command prints, and the log that it leaves beside a run.

A person sees the collection's own lines and every warning; what Ignite, MONAI and others tell of their inner life
(`Engine run resuming from iteration 0`) goes to the log alone. `--verbose True` shows it all.
"""

import logging
import os
import warnings
from pathlib import Path

from ..engines import rank
from ..run_folder import LOG

FULL = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
OWN = __name__.partition(".")[0]
"""The package that holds the collection: `common`, and `scripts` in an exported bundle."""
OF_NO_USE = "monai.data.nvimgcodec_pydicom_plugin"
"""Tells that a decoder for GPUs is absent, whenever `LoadImage` is built: files are decoded by our own reader."""
OF_ITS_READER = "NvImgCodecPydicomReader: "
TOLD_BY_OURS = "ignite.engine"
"""Whose errors say once more, and shorter, what ends the command anyway."""

_log: logging.FileHandler | None = None
_verbose = False


class ForPeople(logging.Formatter):
    """A line is its message; one that is a warning or an error says so first."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        kind = "" if record.levelno < logging.WARNING else f"{record.levelname.capitalize()}: "
        return kind + super().format(record)


def concise(record: logging.LogRecord) -> bool:
    """Whether a person is shown this line."""
    if record.name.startswith((TOLD_BY_OURS, OF_NO_USE)):
        return False
    if record.levelno >= logging.WARNING:
        return True
    speaks = os.environ.get("RANK", "0") == "0"  # torchrun's first process tells for all
    return speaks and record.name.partition(".")[0] in (OWN, "common", "bundles")


def set_up(verbose: bool = False) -> None:
    """Let the console show what a person reads.

    Args:
        verbose: every line of every library, with time and origin, and the traceback of an error.
    """
    global _verbose
    _verbose = verbose
    if not verbose:
        warnings.filterwarnings("ignore", OF_ITS_READER, UserWarning)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.filters = [] if verbose else [concise]
            handler.setFormatter(logging.Formatter(FULL) if verbose else ForPeople())


def log_to(folder: Path) -> None:
    """Append everything from now on to `train.log` of this folder; the first process alone does.

    Args:
        folder: of a run; made when absent.
    """
    global _log
    if rank() > 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    if _log is not None:
        root.removeHandler(_log)
        _log.close()
    _log = logging.FileHandler(folder / LOG, encoding="utf-8")
    _log.setFormatter(logging.Formatter(FULL))
    root.addHandler(_log)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)


def is_verbose() -> bool:
    """Whether this command shows everything."""
    return _verbose


def log_file() -> Path | None:
    """Where this command's log is; None before there is one."""
    return None if _log is None else Path(_log.baseFilename)


def only_to_log(text: str) -> None:
    """Write what a person need not see, such as a traceback."""
    if _log is not None:
        _log.handle(logging.LogRecord(__name__, logging.ERROR, __file__, 0, text, None, None))
