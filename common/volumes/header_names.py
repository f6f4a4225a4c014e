"""Names of labels as headers of NIfTI and NRRD tell them."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from ..files.errors import Misplaced, Unusable

SIDECAR = "labels.json"
REMEDY = f"Segment it again, or write {SIDECAR} and remove them from the header"
SEGMENT = re.compile(r"Segment\d+_Name")


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
        return checked({str(label.text).strip(): int(label.attrib["Key"]) for label in labels}, len(labels))
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise Unusable(f"the label table in its header is damaged ({error})", REMEDY) from None


def names_in_nrrd(pairs: Mapping[str, str]) -> dict[str, int]:
    """Return name -> id from the segments that Slicer writes into NRRD; nothing where it names none.

    Args:
        pairs: of the header, such as `Segment0_Name` to `liver` and `Segment0_LabelValue` to `5`.

    Raises:
        Unusable: a name or value that occurs twice, as in segments that overlap.
    """
    found = [(name, pairs.get(f"{key[:-4]}LabelValue")) for key, name in pairs.items() if SEGMENT.fullmatch(key)]
    try:
        return checked({name: int(number) for name, number in found if number is not None}, len(found))
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


def refuse_label_map(names: Mapping[str, int]) -> None:
    """Raise Misplaced where a volume was wanted, and its header names labels.

    Args:
        names: name -> id that the header tells.
    """
    if names:
        raise Misplaced("its header names labels: it is a label map", "Give its folder as `masks`, or leave it out")


def checked(names: Mapping[str, int], count: int) -> dict[str, int]:
    """Return the names, of which `count` were written.

    Raises:
        ValueError: a name or an id that occurs twice.
    """
    if len(names) != count or len(set(names.values())) != len(names):
        raise ValueError("a name or an id occurs twice")
    return dict(names)
