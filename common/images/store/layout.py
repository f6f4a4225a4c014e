"""The files of a finished store: what they hold, and what is said where one is torn, cut or not a store's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...files.errors import DatasetError

IMAGES, TABLE, QUARANTINE, SUMMARY = "images.npy", "table.parquet", "quarantine.json", "store.json"
FORMAT = 2  # 1 had no checksums
COLUMNS = ("path", "bytes", "modified", "sha256", "height", "width")
CHECKSUM = "crc32"  # of an entry's bytes in IMAGES; the column is missing in format 1
BESIDE = "beside"  # JSON list of the further files of an image, "" for none; stores from before it lack the column
SUSPECT = "suspect.txt"  # names the images whose pixels were found to differ from their checksums


class DamagedStore(DatasetError):  # noqa: N818  (named for what it reports)
    """A file of a store that is not as it was written."""

    def __init__(self, path: Path, problem: str):
        super().__init__(
            path, problem, "Open it by open_store (scripts/build_store.py), which builds again what is lost"
        )

    def __reduce__(self) -> Any:
        return type(self), (Path(self.where), self.problem)


def read_summary(directory: Path) -> dict[str, Any]:
    """Return store.json of a finished store.

    Raises:
        DamagedStore: it is torn.
        DatasetError: there is none, or it is of a format that this code does not know.
    """
    path = directory / SUMMARY
    try:
        summary = json.loads(path.read_bytes())
        found = {key: int(summary[key]) for key in ("format", "size", "channels")}
    except FileNotFoundError:
        raise DatasetError(directory, "no finished store here", "Build one with scripts/build_store.py") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedStore(path, f"it is torn or no store's ({type(error).__name__}: {error})") from None
    if found["format"] > FORMAT:
        problem = f"its format is {found['format']}, and this code knows those up to {FORMAT}"
        raise DatasetError(path, problem, "Use the code that made it, or name another folder for stores (output_root)")
    return summary | found


def read_table(directory: Path) -> pd.DataFrame:
    """Return the side table, one row per entry of the images.

    Raises:
        DamagedStore: it is missing, torn, or another file's.
    """
    path = directory / TABLE
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError:
        raise DamagedStore(path, "it is missing") from None
    except Exception as error:  # whatever a parser meets in a torn file
        raise DamagedStore(path, f"it cannot be read ({_first_line(error)})") from None
    if missing := [name for name in COLUMNS if name not in table]:
        raise DamagedStore(path, f"it is no store's table: the columns {', '.join(missing)} are missing")
    return table


def read_quarantine(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of the files that are left out.

    Raises:
        DamagedStore: it is missing or torn.
    """
    path = directory / QUARANTINE
    try:
        lines = json.loads(path.read_bytes())
        for line in lines:
            line["path"], line["bytes"], line["modified"], line["reason"], line["remedy"]
    except FileNotFoundError:
        raise DamagedStore(path, "it is missing") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedStore(path, f"it is torn or no store's ({type(error).__name__}: {error})") from None
    return list(lines)


def map_images(directory: Path, shape: Sequence[int]) -> np.memmap:
    """Map the images, read-only.

    Args:
        directory: of the store.
        shape: (N, C, S, S) that its other files tell.

    Raises:
        DamagedStore: missing, cut, or of another shape.
    """
    path = directory / IMAGES
    try:
        found = header_of(path)
    except FileNotFoundError:
        raise DamagedStore(path, "it is missing") from None
    except (ValueError, EOFError) as error:
        raise DamagedStore(path, f"it is no array ({_first_line(error)})") from None
    if found[0] != tuple(shape):
        raise DamagedStore(path, f"it has the shape {found[0]}, and the store's other files tell {tuple(shape)}")
    expected, size = found[1] + int(np.prod(shape, dtype=np.int64)), path.stat().st_size
    if size != expected:
        raise DamagedStore(path, f"it has {size:,} bytes in place of {expected:,}")
    return np.memmap(path, np.uint8, "r", found[1], tuple(shape))


def header_of(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of an array file of uint8, and the bytes before its first entry.

    Raises:
        ValueError: no such file's header.
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, kind = read(file)
        if fortran or kind != np.uint8:
            raise ValueError(f"{kind} in place of uint8")
        return shape, file.tell()


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
