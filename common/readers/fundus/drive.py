"""DRIVE, vessels of the retina (Staal et al., IEEE Transactions on Medical Imaging 2004).

40 colour fundus photographs of as many patients, TIFF of 584 x 565 pixels (height, width): 21 to 40 for training, 1 to
20 for testing. Vessels are masks by a first observer, the reference, and of the test images by a second one, too; a
mask of the field of view comes with each. Licence: research, after joining the challenge; cite the paper.

Pitfalls: masks are GIF, white on black, some by palettes. The challenge's present archive has no vessels of the test
images: an older copy is needed to score. Of the masks, vessels and field of view are named alike but for the end.
"""

import os
import re
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.finish import finish
from ..support.publication import Publication
from ..support.suffixes import stem
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="drive",
    title="DRIVE",
    where="https://drive.grand-challenge.org",
    licence="research, after joining the challenge",
    citation="Staal et al., Ridge-based vessel segmentation in color images of the retina, IEEE TMI 2004",
    images=40,
    patients=40,
    splits={"train": 20, "test": 20},
    files=("{training,test}/images/*.tif", "{training,test}/mask/*.gif", "{training,test}/{1st,2nd}_manual/*.gif"),
    gives=("vessel masks, of test by 2 observers", "field of view"),
    signs=("[0-4][0-9]_training.tif", "[0-2][0-9]_test.tif", "1st_manual/[0-4][0-9]_manual1.gif"),
)
VESSEL, SECOND, FIELD = "vessel", "vessel_second_observer", "field_of_view"
NAME = re.compile(r"(\d\d)_(?:(training|test)(_mask)?|manual([12]))", re.IGNORECASE)
SPLITS = {"training": "train", "test": "test"}


@reader(PUBLICATION)
def read(root: str | os.PathLike[str], val_fraction: float = 0.1, seed: int = 0) -> Corpus:
    """Read the publisher's folder. Files belong together by their two-digit number.

    Args:
        root: holds `training` and `test`, in whatever folder.
        val_fraction: share of the 20 training images to validate on, in [0, 1).
        seed: of the draw.

    Raises:
        DatasetError: no image named as DRIVE's, different files of one name, or a number in both splits.
    """
    base = require_root(root, f"DRIVE is at {PUBLICATION.where}")
    tree = Tree(base)
    found = tree.images()
    named = [path for path in found if NAME.fullmatch(stem(path.name))]
    files = one_each(
        named, base, lambda path: stem(path.name).lower(), lambda path: path.suffix.lower() in (".tif", ".gif")
    )
    images: dict[str, tuple[Path, str]] = {}
    masks: dict[str, dict[str, str]] = {}
    for name, path in sorted(files.items()):
        number, split, is_field, observer = NAME.fullmatch(name).groups()  # type: ignore[union-attr]  # only named ones
        if split and not is_field:
            if number in images:
                problem = f"the image {number} is in training and test"
                raise DatasetError(base, problem, "Keep the one that the publisher has: 21 to 40 train")
            images[number] = path, SPLITS[split]
        else:
            structure = FIELD if is_field else VESSEL if observer == "1" else SECOND
            masks.setdefault(number, {})[structure] = str(path)
    if not images:
        problem = "no image in it is named like 21_training.tif or 01_test.tif"
        raise DatasetError(base, problem, f"Get DRIVE from {PUBLICATION.where}")
    records = [
        Record(str(path), number, split, PUBLICATION.name, masks=masks.get(number, {}))
        for number, (path, split) in sorted(images.items())
    ]
    _tell(base, found, named, images, masks)
    present = {structure for record in records for structure in record.masks}
    return finish(
        PUBLICATION,
        records,
        structures=[structure for structure in (VESSEL, SECOND, FIELD) if structure in present],
        split_by=f"{base}: training and test",
        val_fraction=val_fraction,
        seed=seed,
    )


def _tell(
    base: Path,
    found: list[Path],
    named: list[Path],
    images: dict[str, tuple[Path, str]],
    masks: dict[str, dict[str, str]],
) -> None:
    """Say what is left out or missing."""
    bare = [path for number, (path, _) in images.items() if VESSEL not in masks.get(number, {})]
    if bare:
        more = "; the challenge's present archive has none of the test images" if len(bare) == 20 else ""
        add_notice(f"{len(bare)} images have no mask of vessels ({first_few_below(base, bare)}){more}")
    lost = [path for number, there in masks.items() if number not in images for path in there.values()]
    if lost:
        add_notice(f"{len(lost)} masks belong to no image here ({first_few(Path(path).name for path in lost)})")
    strangers = [path for path in found if path not in set(named)]
    if strangers:
        add_notice(
            f"{len(strangers)} images are not named like DRIVE's and left out ({first_few_below(base, strangers)})"
        )
