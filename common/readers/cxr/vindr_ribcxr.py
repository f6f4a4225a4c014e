"""VinDr-RibCXR (Nguyen et al., MIDL 2021): outlines of the twenty upper ribs.

245 radiographs, PNG, of one patient each as far as is known. The official split is 196 images for training and 49 for
validation, on which everyone tests: they are the split `test` here, and validation images are drawn from the training
images. Use under the agreement of vindr.ai; cite the paper.

Structures are `rib_right_1` to `rib_right_10` and `rib_left_1` to `rib_left_10` (R1 to L10 of the files, sides of the
patient). Ribs overlap, so they are masks of their own and no label map. They are drawn once into a folder beside the
data; a rib that the files call "None" is not there, and its mask empty.

Pitfalls: files name images by paths of the authors' machine, of which only the last part counts. Vertices are
fractions of pixels of the original image: a resized copy has to be annotated anew.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...files.errors import DatasetError, SharedPatients
from ...files.notices import add_notice, first_few
from ...files.text import read_json
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.drawn_masks import DrawnMasks
from ..support.finish import finish
from ..support.publication import Publication
from ..support.shapes import Polygons
from ..support.suffixes import stem
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="vindr_ribcxr",
    title="VinDr-RibCXR",
    where="https://vindr.ai/ribcxr (code: github.com/vinbigdata-medical/MIDL2021-VinDr-RibCXR)",
    licence="agreement of vindr.ai, for research",
    citation="Nguyen et al., VinDr-RibCXR: A Benchmark Dataset for Automatic Segmentation of Individual Ribs, 2021",
    images=245,
    splits={"train": 196, "test": 49},
    files=("{train,val}/img/*.png", "Vindr_RibCXR_train_mask.json", "Vindr_RibCXR_val_mask.json"),
    gives=("masks of 20 ribs",),
    signs=("VinDr_RibCXR_*_???.png", "Vindr_RibCXR_*_mask.json"),
)
TABLES = {"train": "Vindr_RibCXR_train_mask.json", "test": "Vindr_RibCXR_val_mask.json"}
RIBS = {f"{side[0].upper()}{number}": f"rib_{side}_{number}" for side in ("right", "left") for number in range(1, 11)}
ABSENT = "None"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str], val_fraction: float = 0.1, seed: int = 0, masks_dir: str | None = None
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the two JSON files and the images, in whatever sub-folders.
        val_fraction: share of the training images to validate on, in [0, 1).
        seed: of the draw.
        masks_dir: folder to draw masks into; None takes one in the root.

    Raises:
        DatasetError: no JSON, one of another form, an outline of no image or outside its image, or no image of it.
        SharedPatients: an image in both splits.
    """
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    drawn = DrawnMasks(base, PUBLICATION.name, masks_dir)
    tree = Tree(base, skip=[drawn.folder])
    paths = {split: path for split, name in TABLES.items() if (path := tree.find((name,)))}
    if not paths:
        problem = f"neither {TABLES['train']} nor {TABLES['test']} in it"
        raise DatasetError(base, problem, f"Get them from {PUBLICATION.where}")
    for split in TABLES.keys() - paths.keys():
        add_notice(f"{TABLES[split]} is missing: no {split} images")
    ribs: dict[str, dict[str, Polygons]] = {}
    splits: dict[str, str] = {}
    for split, path in paths.items():
        for name, outlines in _ribs(path):
            if name in ribs:
                raise SharedPatients(path, f"{name} is there twice", "Keep it in one of the files, once")
            ribs[name], splits[name] = outlines, split
    images = _images(tree, ribs)
    for name, image in images.items():
        for structure, polygons in ribs[name].items():
            drawn.add(image, structure, polygons)
    masks = drawn.draw()
    records = [
        Record(str(image), name, splits[name], PUBLICATION.name, masks=masks.get(image, {}))
        for name, image in sorted(images.items())
    ]
    return finish(PUBLICATION, records, structures=tuple(RIBS.values()), val_fraction=val_fraction, seed=seed)


def _ribs(path: Path) -> Iterator[tuple[str, dict[str, Polygons]]]:
    """Give each image's name without suffix, and structure -> outline."""
    content = read_json(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("img"), Mapping):
        raise DatasetError(path, "it has no dictionary 'img' of images", "Get the publisher's file again")
    if unknown := sorted(content.keys() - RIBS.keys() - {"img"}):
        raise DatasetError(path, f"it has the unknown rib {unknown[0]!r}", f"Known are {', '.join(RIBS)}")
    for rib in RIBS:
        outlines = content.get(rib)
        if not isinstance(outlines, Mapping) or outlines.keys() != content["img"].keys():
            other = sorted(outlines.keys() ^ content["img"].keys())[:3] if isinstance(outlines, Mapping) else "nothing"
            problem = f"the rib {rib} has outlines of other images than 'img' lists ({other})"
            raise DatasetError(path, problem, "Get the publisher's file again")
    for index, place in content["img"].items():
        name = stem(str(place).replace("\\", "/").rpartition("/")[2])
        yield (
            name,
            {structure: _outline(content[rib][index], f"{path}, {rib} of {name}") for rib, structure in RIBS.items()},
        )


def _outline(points: Any, where: str) -> Polygons:
    if points == ABSENT:
        return Polygons(where=where)
    try:
        outline = [(float(point["y"]), float(point["x"])) for point in points]
        if len(outline) < 3:
            raise ValueError(f"{len(outline)} points")
    except (KeyError, TypeError, ValueError) as error:
        problem = f"it is no outline of {{x, y}}, three or more, nor {ABSENT!r} ({error!r})"
        raise DatasetError(where, problem, "Get the publisher's file again") from None
    return Polygons([outline], where=where)


def _images(tree: Tree, ribs: Mapping[str, object]) -> dict[str, Path]:
    """Name -> image, for those that are here and in a table."""
    found = tree.images()
    named = [path for path in found if stem(path.name) in ribs]
    if not named:
        problem = f"none of the {len(ribs)} images of the tables is in it"
        raise DatasetError(tree.root, problem, f"Unpack the images there; they are at {PUBLICATION.where}")
    images = one_each(named, tree.root, lambda path: stem(path.name), lambda path: path.parent.name == "img")
    if lost := sorted(ribs.keys() - images.keys()):
        add_notice(f"{len(lost)} images of the tables are not here ({first_few(lost)})")
    if len(found) > len(named):
        few = first_few_below(tree.root, [path for path in found if path not in named])
        add_notice(f"{len(found) - len(named)} images are in no table and left out ({few})")
    return images
