"""Boxes and polygons around findings, in the forms that publishers have them: tables, COCO, and ChestX-Det's JSON."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_json, read_json_list
from .boxes import Boxes, Edges, Rectangle
from .tables import blank, number, read_table

IMAGE_COLUMNS = ("image", "image_id", "img_name", "file_name")
FINDING_COLUMNS = ("finding", "class_name")
FORMS = (
    ("top", "left", "bottom", "right"),
    ("y_min", "x_min", "y_max", "x_max"),
    ("y", "x", "height", "width"),  # the far edges are sums
)
KNOWN = "top,left,bottom,right or x_min,y_min,x_max,y_max or x,y,width,height"


def read_boxes(path: Path, images: Sequence[Path], bases: Sequence[Path], finding: str | None = None) -> Boxes:
    """Read a table with one box per line, or boxes in COCO's JSON.

    A table names the image in a column image, image_id, img_name or file_name, the finding in finding or class_name,
    and the box in top,left,bottom,right or x_min,y_min,x_max,y_max or x,y,width,height. A line whose box is blank, or
    all zeros, names an image without this box ("No finding" of VinDr-CXR, controls of NODE21). Lines that are alike in
    all columns count once.

    Args:
        path: a `.csv` (or packed), or COCO's `.json`.
        images: all images of the data set.
        bases: folders that its names may be relative to, the root first.
        finding: of every box; None takes the file's.

    Raises:
        DatasetError: no such file, another form, or a box that is none, by line.
    """
    if path.suffix.lower() == ".json":
        return Boxes(path, _coco(path, finding), images, bases)
    table = read_table(path, numbers={column for form in FORMS for column in form})
    again = table.index[table.duplicated()]
    if len(again):
        add_notice(f"{path.name} has {len(again)} lines twice, which count once (line {first_few(again)})")
        table = table.drop(again)
    forms = [form for form in FORMS if set(form) <= set(table.columns)]
    if len(forms) != 1:
        problem = f"its columns ({', '.join(table.columns)}) hold {'several forms' if forms else 'no form'} of a box"
        raise DatasetError(path, problem, f"Known are {KNOWN}")
    columns = list(table.columns)
    image_column = _first(columns, IMAGE_COLUMNS, path, "image")
    finding_column = None if finding else _first(columns, FINDING_COLUMNS, path, "finding")
    found: dict[str, list[Rectangle]] = defaultdict(list)
    for place, line in zip(table.index, table.to_dict("records"), strict=True):
        name = line[image_column]
        if not name:
            add_notice(f"{path.name} has a line that names no image (line {place})")
            continue
        edges = _edges(line, forms[0], f"line {place}, {name}", path)
        if edges:
            found[name].append(Rectangle(finding or line[finding_column], edges, f"line {place}"))
        else:
            found[name] += []
    return Boxes(path, found, images, bases)


def read_polygons(path: Path, images: Sequence[Path], bases: Sequence[Path]) -> Boxes:
    """Read ChestX-Det's JSON: a list of {file_name, syms, polygons}; a polygon becomes the box around it.

    Args:
        path: the file.
        images: all images of the data set.
        bases: folders that its names may be relative to, the root first.

    Raises:
        DatasetError: no such file, another form, or a polygon that is none, by entry.
    """
    found: dict[str, list[Rectangle]] = {}
    first: dict[str, Any] = {}
    for place, entry in enumerate(read_json_list(path)):
        where = f"entry {place}"
        try:
            name, pairs = str(entry["file_name"]), list(zip(entry["syms"], entry["polygons"], strict=True))
            if first.setdefault(name, entry) != entry:
                raise DatasetError(path, f"{where} says another thing of {name} than one before", "Keep one of them")
            found[name] = [Rectangle(str(finding), _around(points), where) for finding, points in pairs]
        except DatasetError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            problem = (
                f"{where} is no {{file_name, syms, polygons}} with a polygon of [x, y] for each of syms ({error!r})"
            )
            raise DatasetError(path, problem, "Give ChestX_Det_train.json, or the like of it") from None
    return Boxes(path, found, images, bases)


def _first(columns: Sequence[str], known: Sequence[str], path: Path, what: str) -> str:
    column = next((name for name in known if name in columns), None)
    if column is None:
        problem = f"no column for the {what} (there are: {', '.join(columns)})"
        remedy = "" if what == "image" else ", or set the option box_finding"
        raise DatasetError(path, problem, f"Name it {' or '.join(known)}{remedy}")
    return column


def _edges(line: Mapping[Any, Any], form: Sequence[str], where: str, path: Path) -> Edges | None:
    texts = [line[column] for column in form]
    if all(map(blank, texts)):
        return None
    try:
        first_row, first_col, second_row, second_col = map(number, texts)
    except ValueError:
        first_row = math.nan
        second_row = first_col = second_col = math.nan
    if not any((first_row, first_col, second_row, second_col)):
        return None
    if form[2] == "height":
        second_row, second_col = first_row + second_row, first_col + second_col
    edges = (first_row, first_col, second_row, second_col)
    if not all(map(math.isfinite, edges)) or second_row <= first_row or second_col <= first_col:
        stated = ", ".join(f"{column} {text!r}" for column, text in zip(form, texts, strict=True))
        raise DatasetError(path, f"{where}: {stated} is no box", "Correct the line, or leave all four blank")
    return edges


def _around(points: Sequence[Sequence[float]]) -> Edges:
    cols, rows = zip(*((float(x), float(y)) for x, y in points), strict=True)
    if len(points) < 3 or not all(map(math.isfinite, (*rows, *cols))):
        raise ValueError(f"polygon {points}")
    return min(rows), min(cols), max(rows), max(cols)


def _coco(path: Path, finding: str | None) -> dict[str, list[Rectangle]]:
    content = read_json(path)
    try:
        names = _by_id(content["categories"], "category", path)
        images = _by_id(content["images"], "image", path)
        found: dict[str, list[Rectangle]] = {}
        sizes: dict[str, tuple[int, int]] = {}
        for image in images.values():
            name, size = str(image["file_name"]), (int(image["height"]), int(image["width"]))
            if sizes.setdefault(name, size) != size:
                raise DatasetError(path, f"{name} has two sizes, {sizes[name]} and {size}", "Keep one of them")
            found[name] = []
        for place, item in enumerate(content["annotations"]):
            name, (x, y, width, height) = str(images[item["image_id"]]["file_name"]), map(float, item["bbox"])
            edges = (y, x, y + height, x + width)
            kind = finding or str(names[item["category_id"]]["name"])
            found[name].append(Rectangle(kind, edges, f"annotation {item.get('id', f'number {place}')}", sizes[name]))
    except DatasetError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        problem = f"not COCO's images, annotations and categories ({error!r})"
        raise DatasetError(
            path, problem, "The option boxes takes a .csv or COCO's .json; polygons has an option"
        ) from None
    return found


def _by_id(items: Sequence[Mapping[str, Any]], what: str, path: Path) -> dict[Any, Mapping[str, Any]]:
    found: dict[Any, Mapping[str, Any]] = {}
    for item in items:
        if found.setdefault(item["id"], item) != item:
            raise DatasetError(path, f"two {what} entries have the id {item['id']!r}", "Correct one of them")
    return found
