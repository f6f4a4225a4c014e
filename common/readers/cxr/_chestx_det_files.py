"""ChestX-Det and ChestX-Det10: the JSON of each split, and what both readers make of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...files.errors import DatasetError, SharedPatients
from ...files.notices import add_notice, first_few
from ...files.text import read_json_list
from ...records import Box, Record
from ..support.boxes import Rectangle, box_in
from ..support.copies import first_few_below, one_each
from ..support.shapes import Polygons
from ..support.suffixes import stem
from ..support.tree import Tree

FRAME = (1024, 1024)  # of all coordinates
FOLDERS = ("train_data", "test_data")
Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Entry:
    """What a JSON says of one image.

    Args:
        split: "train" or "test".
        where: file and place in it, for messages.
        findings: of the annotations, in their order.
        boxes: top, left, bottom, right of each.
        outlines: (row, col) of the vertices of each; empty where the file has no polygons.
    """

    split: str
    where: str
    findings: tuple[str, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    outlines: tuple[Outline, ...]

    def mask(self, findings: Sequence[str]) -> Polygons:
        """The area of some findings together."""
        pairs = zip(self.findings, self.outlines, strict=True)
        return Polygons([outline for name, outline in pairs if name in findings], FRAME, self.where)


def read_entries(path: Path, split: str, findings: Sequence[str], polygons: bool) -> dict[str, Entry]:
    """Return an image's number -> its entry.

    Args:
        path: list of {file_name, syms, boxes, polygons}; the last three have one item for each annotation.
        split: "train" or "test".
        findings: that there may be.
        polygons: whether the file has some.

    Raises:
        DatasetError: another form, an unknown finding, or an image that is there twice.
    """
    entries: dict[str, Entry] = {}
    for place, item in enumerate(read_json_list(path)):
        where = f"{path}, entry {place}"
        try:
            name, names = stem(str(item["file_name"])), tuple(map(str, item["syms"]))
            boxes = tuple((float(y0), float(x0), float(y1), float(x1)) for x0, y0, x1, y1 in item["boxes"])
            outlines = tuple(map(_outline, item["polygons"])) if polygons else ((),) * len(names)
        except (KeyError, TypeError, ValueError) as error:
            keys = "file_name, syms, boxes" + ", polygons" * polygons
            raise DatasetError(where, f"it is no {{{keys}}} ({error!r})", "Get the publisher's file again") from None
        if not len(names) == len(boxes) == len(outlines):
            problem = f"{name} has {len(names)} findings, {len(boxes)} boxes and {len(outlines)} polygons"
            raise DatasetError(where, problem, "There must be as many of each: get the publisher's file again")
        if unknown := sorted(set(names) - set(findings)):
            problem = f"{name} has the unknown finding {unknown[0]!r}"
            raise DatasetError(where, problem, f"Known are {', '.join(findings)}")
        if name in entries:
            raise DatasetError(where, f"{name} is there twice", "Keep one of them")
        entries[name] = Entry(split, where, names, boxes, outlines)
    return entries


def find_entries(
    tree: Tree, tables: Mapping[str, str], findings: Sequence[str], polygons: bool, where: str
) -> dict[str, Entry]:
    """Read the JSON of each split that is there.

    Args:
        tree: files of the data set.
        tables: split -> name of its file.
        findings: see `read_entries`.
        polygons: see `read_entries`.
        where: address of the publisher's.

    Raises:
        DatasetError: none is there, or as `read_entries`.
        SharedPatients: an image in both.
    """
    entries: dict[str, Entry] = {}
    for split, name in tables.items():
        path = tree.find((name,))
        if path is None:
            add_notice(f"{name} is missing: no {split} images")
            continue
        own = read_entries(path, split, findings, polygons)
        if both := sorted(entries.keys() & own.keys()):
            problem = f"{len(both)} images are in the other split too, such as {both[0]}"
            raise SharedPatients(path, problem, "Get the publisher's files again")
        entries |= own
    if not any(tree.find((name,)) for name in tables.values()):
        problem = f"none of {', '.join(tables.values())} in it"
        raise DatasetError(tree.root, problem, f"Get them from {where}")
    return entries


def find_images(tree: Tree, entries: Mapping[str, Entry], where: str) -> dict[str, Path]:
    """Return an image's number -> its file, for those that have an entry.

    Raises:
        DatasetError: none is there, or different files of one number.
    """
    found = tree.images()
    named = [path for path in found if stem(path.name) in entries]
    if not named:
        problem = f"none of the {len(entries):,} images of the tables is in it"
        raise DatasetError(tree.root, problem, f"Unpack train_data and test_data there; {where}")
    images = one_each(named, tree.root, lambda path: stem(path.name), lambda path: path.parent.name in FOLDERS)
    others = [path for path in found if stem(path.name) not in entries]
    if others:
        few = first_few_below(tree.root, others)
        add_notice(f"{len(others)} images are in no table and left out ({few})")
    return images


def make_records(
    source: str,
    images: Mapping[str, Path],
    entries: Mapping[str, Entry],
    findings: Sequence[str],
    masks: Mapping[Path, Mapping[str, str]],
) -> list[Record]:
    """Make a record of every image, with its labels and boxes; an image counts as a patient.

    Raises:
        DatasetError: a box outside its image.
    """
    if lost := sorted(entries.keys() - images.keys()):
        add_notice(f"{len(lost):,} images of the tables are not here ({first_few(lost)})")
    return [
        Record(
            image=str(image),
            patient_id=name,
            split=entries[name].split,
            source=source,
            labels=tuple(float(finding in entries[name].findings) for finding in findings),
            masks=masks.get(image, {}),
            boxes=_boxes(name, entries[name]),
        )
        for name, image in sorted(images.items())
    ]


def _boxes(name: str, entry: Entry) -> tuple[Box, ...]:
    path, _, place = entry.where.rpartition(", ")
    pairs = zip(entry.findings, entry.boxes, strict=True)
    return tuple(box_in(Rectangle(finding, edges, place), FRAME, name, Path(path)) for finding, edges in pairs)


def _outline(points: Any) -> Outline:
    outline = tuple((float(y), float(x)) for x, y in points)
    if len(outline) < 3:
        raise ValueError(f"a polygon of {len(outline)} points")
    return outline
