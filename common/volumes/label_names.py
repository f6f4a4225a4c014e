"""Which name each value of a label map has."""

from pathlib import Path
from typing import Any

from ..files.errors import DatasetError, Unusable
from ..files.text import read_json
from ..images.formats import format_of
from .header_names import SIDECAR, checked, names_in_nifti, names_in_nrrd
from .itk_headers import read_header
from .nifti import open_header
from .structures import TABLES

HEAD_BYTES = 4096


def label_names(path: Path, table: str | None = None) -> dict[str, int]:
    """Return name -> id of a label map.

    TotalSegmentator writes them into the NIfTI header, Slicer into NRRD's; otherwise `<file>.json`, then
    `labels.json` beside it, then the table that is stated.

    Args:
        path: of the label map.
        table: "v1", "v2" or "ratic" for files that name nothing; None refuses them.

    Raises:
        Unusable: nothing names the values, or names that cannot be read.
    """
    if table is not None and table not in TABLES:
        raise Unusable(f"label_table is {table!r}", f"It must be one of {', '.join(TABLES)}, or null")
    names = _from_header(path)
    if names:
        return names
    if beside := sidecars(path):
        return _from_sidecar(beside[0])
    if table is not None:
        return dict(TABLES[table])
    remedy = f"Write {SIDECAR} beside it, {{name: id}}, or set label_table to {', '.join(TABLES)}"
    raise Unusable("nothing names its labels", remedy)


def sidecars(path: Path) -> list[Path]:
    """The files beside a label map that may name its values and are there, the first of them being the one read."""
    bare = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    named = (path.with_name(path.name + ".json"), path.with_name(bare + ".json"), path.with_name(SIDECAR))
    return [file for file in named if file.is_file()]


def _from_header(path: Path) -> dict[str, int]:
    text = read_header(path)
    if text is not None:
        return names_in_nrrd(text.pairs)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return names_in_nifti(open_header(path)) if format_of(head, path) == "nifti" else {}


def _from_sidecar(path: Path) -> dict[str, int]:
    try:
        stated = read_json(path)
        return checked({str(name): _whole(number) for name, number in stated.items()}, len(stated))
    except (DatasetError, ValueError, AttributeError, TypeError) as error:
        problem = f"{path.name} beside it is no table of label names ({error})"
        raise Unusable(problem, 'It should read {"liver": 1, "spleen": 2, ...}') from None


def _whole(number: Any) -> int:
    """A value of a label map: 1, 1.0 or "1", and not 1.7 or true."""
    if isinstance(number, bool) or (isinstance(number, float) and not number.is_integer()):
        raise ValueError(f"{number!r} is no whole number")
    return int(number)
