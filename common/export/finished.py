"""A folder that is there whole, or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .rewrite import ExportError

TORCH_WRITER = "inline_container.cc"
"""In what `torch.save` says of a full disk: that its writer failed, or that it is at an unexpected position."""


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` to write into; it becomes `out` when the block ends, and goes when it fails.

    Args:
        out: folder that does not exist yet, or is empty.

    Raises:
        ExportError: the disk is full, or cannot be written to; names the file that was being written.
    """
    unfinished = out.parent / f".{out.name}.unfinished-{os.getpid()}"
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        unfinished.replace(out)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and TORCH_WRITER not in str(error):
            raise
        name = out / _last_written(unfinished)
        reason = str(error).splitlines()[0]
        raise ExportError(
            f"Cannot write {name}: {reason}. Nothing is left of this export. Free space on the disk of {out.parent}, "
            "or choose another --out."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _last_written(folder: Path) -> Path:
    """Path below the folder of the file that was touched last."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return max(files, key=lambda path: path.stat().st_mtime_ns).relative_to(folder) if files else Path()
