"""TBX11K, tuberculosis on chest radiographs (Liu et al., CVPR 2020).

11,200 radiographs, PNG of 512 x 512 pixels in three equal channels: healthy, sick without tuberculosis, and
tuberculosis, whose areas are in boxes (active, latent, uncertain). 6,600 for training (3,000 healthy, 3,000 sick, 600
tuberculosis), 1,800 for validation, 2,800 for testing. CC BY-NC-SA 2.0.

Pitfalls: what the test images show is not public, so the literature tests on the validation list. `trainval` lists hold
both. `imgs/extra` are other collections (DA, DB, Montgomery, Shenzhen). The class is the folder's; one training image
of tuberculosis has no box. Patients are not told: each image counts as one.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_json, read_lines
from ...records import Box, Corpus, Record
from ..registry import reader
from ..support.box_files import read_boxes
from ..support.copies import one_each
from ..support.finish import finish
from ..support.publication import Publication
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="tbx11k",
    title="TBX11K",
    where="https://github.com/yun-liu/Tuberculosis (or Kaggle usmanshams/tbx-11)",
    licence="CC BY-NC-SA 2.0",
    citation="Liu et al., Rethinking Computer-Aided Tuberculosis Diagnosis, CVPR 2020",
    images=11_200,
    splits={"train": 6_600, "val": 1_800, "test": 2_800},
    files=("imgs/{health,sick,tb,test}/*.png", "lists/TBX11K_{train,val}.txt", "annotations/json/TBX11K_*.json"),
    gives=("3 classes (not of test)", "boxes of tuberculosis"),
    signs=("TBX11K_*.txt", "TBX11K_*.json", "imgs/tb/tb[0-9]*.png"),
)
CLASSES = ("health", "sick", "tb")
OTHERS = "extra"
LISTED = ("train", "val")


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    test_on_val: bool = False,
    val_fraction: float = 0.1,
    seed: int = 0,
) -> Corpus:
    """Read the publisher's folder, or any part of it. Labels are one-hot; those of the test images are unknown.

    Args:
        root: holds `imgs`, and lists or annotations, in whatever sub-folders.
        test_on_val: test on the validation list, whose labels are public, and draw images for validation from the
            training list; the test images are left out.
        val_fraction: share of the training images to validate on where no list has that split, in [0, 1).
        seed: of the draw.

    Raises:
        DatasetError: no image, neither lists nor annotations, an image in two lists or in no class folder, or a box
            outside of its image.
    """
    base = require_root(root, f"TBX11K is at {PUBLICATION.where}")
    tree = Tree(base)
    images = _images(tree)
    splits = _splits(tree, images)
    unlisted = sorted(name for name in images if name not in splits)
    if unlisted:
        add_notice(f"{len(unlisted):,} images are in no list and left out ({first_few(unlisted)})")
    boxes = _boxes(tree, images, splits)
    records = [
        Record(
            image=str(images[name]),
            patient_id=name,
            split="test" if test_on_val and split == "val" else split,
            source=PUBLICATION.name,
            labels=None if split == "test" else _labels(name, base),
            boxes=boxes.get(name, ()),
        )
        for name, split in sorted(splits.items())
        if name in images and not (test_on_val and split == "test")
    ]
    bare = [record.image for record in records if record.labels and record.labels[-1] and not record.boxes]
    if bare and boxes:
        add_notice(f"{len(bare)} images of tuberculosis have no box ({first_few(Path(image).name for image in bare)})")
    public = replace(PUBLICATION, images=8_400, splits={"train": 6_600, "test": 1_800})
    return finish(
        public if test_on_val else PUBLICATION,
        records,
        findings=CLASSES,
        split_by=f"{base}: the lists",
        val_fraction=val_fraction,
        seed=seed,
    )


def _images(tree: Tree) -> dict[str, Path]:
    """Return name as lists have it, such as tb/tb0005.png -> file; other collections left out."""
    found = tree.images()
    own = [path for path in found if OTHERS not in path.relative_to(tree.root).parts]
    if not own:
        raise DatasetError(tree.root, "no image in it", f"Get TBX11K from {PUBLICATION.where}")
    if len(own) < len(found):
        add_notice(f"{len(found) - len(own):,} images of other collections (imgs/{OTHERS}) left out")
    return one_each(own, tree.root, lambda path: "/".join(path.parts[-2:]), lambda path: -len(path.parts))


def _named(path: Path) -> list[str]:
    try:
        return [str(image["file_name"]) for image in read_json(path)["images"]]
    except (KeyError, TypeError) as error:
        problem = f"it has no list 'images' of entries with a file_name ({error!r})"
        raise DatasetError(path, problem, "Get the publisher's file again") from None


def _splits(tree: Tree, images: Mapping[str, Path]) -> dict[str, str]:
    """Return name -> split by the lists, or by the annotations where lists are missing; of test by its folder."""
    splits = {name: "test" for name in images if name.startswith("test/")}
    for split in LISTED:
        path = tree.find((f"TBX11K_{split}.txt",))
        names = read_lines(path) if path else None
        if names is None and (path := tree.find((f"TBX11K_{split}.json",))) is not None:
            names = _named(path)
        if names is None:
            add_notice(f"TBX11K_{split}.txt is missing: no images of the {split} list")
            continue
        for name in names:
            if splits.setdefault(name, split) != split:
                raise DatasetError(str(path), f"{name} is in another list too", "Get the publisher's lists again")
    if not set(splits.values()) & set(LISTED):
        problem = "neither lists/TBX11K_train.txt nor annotations/json/TBX11K_train.json in it"
        raise DatasetError(tree.root, problem, f"Get them from {PUBLICATION.where}")
    lost = sorted(name for name in splits if name not in images)
    if lost:
        add_notice(f"{len(lost):,} images of the lists are not here ({first_few(lost)})")
    return splits


def _boxes(tree: Tree, images: Mapping[str, Path], splits: Mapping[str, str]) -> dict[str, tuple[Box, ...]]:
    """Return name -> boxes, by the annotations of each list that has images here."""
    boxes: dict[str, tuple[Box, ...]] = {}
    for split in LISTED:
        here = {name: path for name, path in images.items() if splits.get(name) == split}
        path = tree.find((f"TBX11K_{split}.json",))
        if path is None:
            add_notice(f"TBX11K_{split}.json is missing: no boxes of the {split} list")
        if path is None or not here:
            continue
        folders = sorted({image.parent.parent for image in here.values()})
        file = read_boxes(path, list(here.values()), (tree.root, *folders))
        boxes |= {name: file.of(image) for name, image in here.items() if file.lists(image)}
    return boxes


def _labels(name: str, base: Path) -> tuple[float, ...]:
    folder = name.partition("/")[0]
    if folder not in CLASSES:
        raise DatasetError(base, f"{name} is in the folder {folder!r}", f"Classes are {', '.join(CLASSES)}")
    return tuple(float(folder == kind) for kind in CLASSES)
