"""Which name each value of a label map has."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..errors import DatasetError
from ..formats import format_of
from ..formats.depth import Unusable
from .structures import TABLES

SIDECAR = "labels.json"
REMEDY = f"Segment it again, or write {SIDECAR} and remove them from the header"
SEGMENT = re.compile(r"Segment\d+_Name")
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


def names_in_extension(text: str) -> dict[str, int]:
    """Return name -> id from the XML of a NIfTI header extension; nothing where it holds no label table.

    Args:
        text: such as `<CaretExtension>...<LabelTable><Label Key="1" ...><![CDATA[spleen]]></Label>...`.

    Raises:
        Unusable: a label table that cannot be read.
    """
    if "<LabelTable>" not in text:
        return {}
    try:
        labels = list(ElementTree.fromstring(text).iter("Label"))
        return _checked({str(label.text).strip(): int(label.attrib["Key"]) for label in labels}, len(labels))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise Unusable(f"the label table in its header is damaged ({error})", REMEDY) from None


def _from_header(path: Path) -> dict[str, int]:
    from .itk_headers import read_header
    from .nifti import open_header

    text = read_header(path)
    if text is not None:
        return names_in_nrrd(text.pairs)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return names_in_nifti(open_header(path)) if format_of(head, path) == "nifti" else {}


def names_in_nrrd(pairs: Mapping[str, str]) -> dict[str, int]:
    """Return name -> id from the segments that Slicer writes into NRRD; nothing where it names none.

    Args:
        pairs: of the header, such as `Segment0_Name` to `liver` and `Segment0_LabelValue` to `5`.

    Raises:
        Unusable: a name or value that occurs twice, as in segments that overlap.
    """
    found = [(name, pairs.get(f"{key[:-4]}LabelValue")) for key, name in pairs.items() if SEGMENT.fullmatch(key)]
    try:
        return _checked({name: int(number) for name, number in found if number is not None}, len(found))
    except ValueError as error:
        raise Unusable(f"the segments in its header have no names of their own ({error})", REMEDY) from None


def names_in_nifti(header: Any) -> dict[str, int]:
    """Return name -> id from nibabel's header of a NIfTI file; nothing where it names no labels, as that of a CT."""
    found: dict[str, int] = {}
    for extension in header.extensions:
        content = extension.get_content()
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        found |= names_in_extension(text.strip("\0 \n"))
    return found


def _from_sidecar(path: Path) -> dict[str, int]:
    try:
        # Late: the readers import what names labels.
        from ..readers.text import read_json

        stated = read_json(path)
        return _checked({str(name): _whole(number) for name, number in stated.items()}, len(stated))
    except (DatasetError, ValueError, AttributeError, TypeError) as error:
        problem = f"{path.name} beside it is no table of label names ({error})"
        raise Unusable(problem, 'It should read {"liver": 1, "spleen": 2, ...}') from None


def _whole(number: Any) -> int:
    """A value of a label map: 1, 1.0 or "1", and not 1.7 or true."""
    if isinstance(number, bool) or (isinstance(number, float) and not number.is_integer()):
        raise ValueError(f"{number!r} is no whole number")
    return int(number)


def _checked(names: Mapping[str, int], count: int) -> dict[str, int]:
    if len(names) != count or len(set(names.values())) != len(names):
        raise ValueError("a name or an id occurs twice")
    return dict(names)
