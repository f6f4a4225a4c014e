"""JSRT, nodules on chest radiographs (Shiraishi et al., AJR 2000), with SCR's masks (van Ginneken et al., 2006).

247 posteroanterior radiographs of as many patients, raw with the suffix .IMG, 2048 x 2048 pixels of 0.175 mm and 12
bits, high values dark: 154 with a nodule (JPCLN001 ...), whose place and size a table tells, and 93 without (JPCNN001
...). Free after registration; SCR is for research and asks for a citation.

Structures are `heart`, `lung_left`, `lung_right`, `clavicle_left` and `clavicle_right` as SCR gives them, sides of the
patient, and `lung` and `clavicle`, which join two. Where SCR's masks (GIF of 1024 x 1024) are missing, its outlines
(.pfs, x and y in 1024 x 1024) are drawn. Boxes are squares as wide as the nodule.

Splits of training and test images: `drawn` in LeADER's shares, 197 and 50; `ace` in ACE's, 173, 25 and 49; `folds` as
SCR's authors and Adam, fold 1 (odd numbers, 124 images) trains and fold 2 (123) tests. Which images the first two drew
is not public.

Pitfalls: raw files have no header, and copies in another order of bytes are noise. Redistributions are PNG of any size,
some named JPCLN001.IMG.png. Folders of masks have blanks in their names, in some copies underscores, and their files
the names of the images. NODE21 holds these images, too.
"""

import os
import re
from pathlib import Path

from ...files.errors import DatasetError, UnreadableImage
from ...files.notices import add_notice, first_few
from ...images.decode import image_size
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.defects import OTHER_BYTE_ORDER
from ..support.drawn_masks import DrawnMasks
from ..support.finish import finish
from ..support.pixel_size import resized_spacing
from ..support.publication import Publication
from ..support.suffixes import stem
from ..support.tree import Tree, require_root
from ._jsrt_tables import FRAME, SPACING, Clinical, read_clinical
from ._scr_files import JOINED, STRUCTURES, draw_missing, find_scr

PUBLICATION = Publication(
    name="jsrt",
    title="JSRT with SCR",
    where="http://db.jsrt.or.jp/eng.php (masks: https://www.isi.uu.nl/Research/Databases/SCR/)",
    licence="free after registration; SCR for research",
    citation="Shiraishi et al., Development of a Digital Image Database for Chest Radiographs, AJR 2000; "
    "van Ginneken et al., Segmentation of anatomical structures in chest radiographs, 2006",
    images=247,
    patients=247,
    files=("All247images/*.IMG", "Clinical_Information/*.txt", "scr/fold{1,2}/masks/*/*.gif or landmarks/*.pfs"),
    gives=("nodule or none", "154 boxes", "masks of heart, lungs, clavicles", "sex and age"),
    signs=("JPCLN[0-9][0-9][0-9].*", "JPCNN[0-9][0-9][0-9].*"),
    defects=(OTHER_BYTE_ORDER,),
)
FINDINGS = ("Nodule",)
NAME = re.compile(r"(JPC(?:LN|NN)\d{3})(?:\.(?:IMG|PFS))?", re.IGNORECASE)
SHARES = {"drawn": (0.1, 50 / 247), "ace": (25 / 198, 49 / 247), "folds": (0.1, None)}  # of validation, of tests


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    split: str = "drawn",
    val_fraction: float | None = None,
    test_fraction: float | None = None,
    seed: int = 0,
    masks_dir: str | None = None,
) -> Corpus:
    """Read JSRT's folder with SCR's in it, or any part of them.

    Args:
        root: holds images, tables, masks and outlines, in whatever sub-folders.
        split: "drawn", "ace" or "folds"; see above.
        val_fraction: share of the training images to validate on, in [0, 1); None takes the split's own.
        test_fraction: share of the images to test on, in [0, 1); None takes the split's own; none with "folds".
        seed: of the draws.
        masks_dir: folder to draw masks into; None takes one in the root.

    Raises:
        DatasetError: an unknown split, no image named as this data set's, different files of one image, a table's
            line or an outline of another form.
    """
    if split not in SHARES:
        raise DatasetError("split", f"the value is {split!r}", f"It must be one of {', '.join(SHARES)}")
    if split == "folds" and test_fraction is not None:
        raise DatasetError("test_fraction", "fold 2 tests where split is folds", "Remove one of the two options")
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    drawn = DrawnMasks(base, PUBLICATION.name, masks_dir)
    tree = Tree(base, skip=[drawn.folder])
    scr = find_scr(tree, _name)
    kept = [path for path in tree.images() if path not in scr.files]
    images = one_each([path for path in kept if _name(path)], base, lambda path: _name(path) or "", _is_raw)
    if not images:
        problem = "no image in it is named like JPCLN001.IMG, outside of folders of masks"
        raise DatasetError(base, problem, f"Get the images from {PUBLICATION.where}")
    if others := [path for path in kept if not _name(path)]:
        add_notice(f"{len(others)} images are not named like JPCLN001 and left out ({first_few_below(base, others)})")
    told = read_clinical(tree, FINDINGS[0])
    masks = draw_missing(scr, images, drawn)
    if bare := sorted(name for name in images if not masks[name]):
        add_notice(f"{len(bare)} images have no masks of SCR ({first_few(bare)})")
    records = []
    for name, path in sorted(images.items()):
        known = told.get(name, Clinical())
        fold = scr.fold_of(name) or ("fold1" if int(name[-3:]) % 2 else "fold2")
        records.append(
            Record(
                image=str(path),
                patient_id=name,
                split="test" if split == "folds" and fold == "fold2" else "train",
                source=PUBLICATION.name,
                labels=(float(name.startswith("JPCLN")),),
                masks=masks[name],
                boxes=(known.box,) if known.box else (),
                view="PA",
                sex=known.sex,
                age=known.age,
                pixel_spacing=_spacing(path),
            )
        )
    own_val, own_test = SHARES[split]
    found = {structure for record in records for structure in record.masks}
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        structures=[structure for structure in (*STRUCTURES.values(), *JOINED) if structure in found],
        test_fraction=own_test if test_fraction is None else test_fraction,
        val_fraction=own_val if val_fraction is None else val_fraction,
        seed=seed,
        stratify=True,
    )


def _name(path: Path) -> str | None:
    found = NAME.fullmatch(stem(path.name))
    return found and found[1].upper()


def _is_raw(path: Path) -> bool:
    return path.suffix.lower() == ".img"


def _spacing(path: Path) -> tuple[float, float] | None:
    """Of the published size, or of a resized copy; None where the file cannot be read."""
    if _is_raw(path):
        return SPACING, SPACING
    try:
        return resized_spacing((SPACING, SPACING), FRAME, image_size(path))
    except UnreadableImage:
        return None
