"""NIH ChestX-ray14 (Wang et al., CVPR 2017).

112,120 frontal radiographs of 30,805 patients, 1024 x 1024 8-bit PNG (some with four channels), 14 findings
mined from reports and therefore noisy. The official lists are disjoint by patient: 86,524 images for training
and validation, 25,596 for testing; 984 boxes on 880 test images, in the 1024 frame, call Infiltration
"Infiltrate". Use is free; acknowledge the NIH Clinical Center and cite the paper.

The table also says view, sex, age, and the spacing of the original's pixels, which is given here for those of the file.

Pitfalls: two versions of the label table (2017 and v2020) differ slightly, and ages above 120 years, of which the older
has some, are left out. RSNA Pneumonia, NODE21, ChestX-Det and part of COVIDx re-use these images. Beside the
publisher's files, `masks/<structure>/<name>.png` and `landmarks.csv` (image,landmark,row,col as fractions) are read
where they are. Of files of one name those in a folder called images are read.
"""

import os

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record
from ..registry import reader
from ..support.annotations import landmarks_of, masks_of
from ..support.copies import first_few_below, one_each
from ..support.defects import FOUR_CHANNELS, NESTED_COPIES
from ..support.finish import finish
from ..support.publication import Publication
from ..support.suffixes import stem
from ..support.tree import Tree, require_root
from ._chestxray14_facts import facts
from ._chestxray14_tables import COLUMNS, boxes_of, label_table, listed_splits, present_lines

PUBLICATION = Publication(
    name="chestxray14",
    title="NIH ChestX-ray14",
    where="https://nihcc.app.box.com/v/ChestXray-NIHCC (or Kaggle nih-chest-xrays/data)",
    licence="no restrictions; acknowledge the NIH Clinical Center",
    citation="Wang et al., ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks, CVPR 2017",
    images=112_120,
    patients=30_805,
    splits={"train": 86_524, "test": 25_596},
    files=(
        "images/*.png (12 archives)",
        "Data_Entry_2017_v2020.csv",
        "BBox_List_2017.csv",
        "train_val_list.txt",
        "test_list.txt",
    ),
    gives=("14 findings", "984 boxes", "projection, sex, age, spacing"),
    signs=("Data_Entry_2017*.csv*", "BBox_List_2017.csv*"),
    defects=(FOUR_CHANNELS, NESTED_COPIES),
)
# The order of the papers' code and of the literature, not of any table.
FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
)
NO_FINDING = "No Finding"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the label table, the two lists and the images, in whatever sub-folders.
        val_fraction: share of the training list's patients to validate on, in [0, 1).
        test_fraction: share of the patients to test on, used only where the publisher's lists are missing.
        seed: of the draw of patients.
        shared_patients: what to do with patients in both lists: "error", "drop" or "separate".

    Raises:
        DatasetError: no label table, a column missing, no image of the table there, or shared patients.
    """
    base = require_root(root, f"ChestX-ray14 is at {PUBLICATION.where}")
    mask_root = base / "masks"
    tree = Tree(base, skip=[mask_root])
    whole, table_path = label_table(tree, PUBLICATION.where)
    # By stem, for mirrors keep the names and not the format; what the table does not name is nothing of the data set.
    named = set(whole["Image Index"].map(stem))
    stems = {path: stem(path.name) for path in tree.images()}
    strangers = [path for path, name in stems.items() if name not in named]
    images = one_each(
        [path for path, name in stems.items() if name in named],
        base,
        stems.__getitem__,
        lambda path: (path.parent.name == "images", path.suffix == ".png"),
    )
    table = present_lines(whole, table_path, images, base, PUBLICATION.where)
    if strangers:
        lost = first_few_below(base, strangers)
        add_notice(f"{len(strangers)} images are not in {table_path.name} and left out ({lost})")
    paths = list(images.values())
    masks = masks_of({path.name: path for path in sorted(mask_root.glob("*/"))}, paths, (base,))
    places, landmarks = landmarks_of(base / "landmarks.csv", paths, (base,))
    boxes = boxes_of(tree, images, FINDINGS)
    listed = listed_splits(tree)
    records = []
    told = facts(table, table_path, paths)
    texts = dict(zip(table["Finding Labels"], table["Image Index"], strict=True))  # of 112,120, 836 differ
    labels_of = {text: _labels(text, name) for text, name in texts.items()}
    for (name, labels, patient, view), known in zip(table[list(COLUMNS)].itertuples(index=False), told, strict=True):
        key = stem(name)
        if listed and key not in listed:
            continue
        image = images[key]
        records.append(
            Record(
                image=str(image),
                patient_id=patient,
                split=listed.get(key, "train"),
                source=PUBLICATION.name,
                labels=labels_of[labels],
                masks=masks.get(image, {}),
                boxes=tuple(boxes.get(key, ())),
                landmarks=places.get(image, {}),
                view=view or None,
                sex=known.sex,
                age=known.age,
                pixel_spacing=known.pixel_spacing,
            )
        )
    if len(records) < len(table):
        add_notice(f"{len(table) - len(records)} images are in neither list and left out")
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        structures=sorted({structure for files in masks.values() for structure in files}),
        landmarks=landmarks,
        shared_patients=shared_patients,
        split_by=f"{base}: the train and test lists",
        test_fraction=None if listed else test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )


def _labels(text: str, name: str) -> tuple[float, ...]:
    stated = {label.strip() for label in text.split("|")} - {NO_FINDING}
    unknown = stated - set(FINDINGS)
    if unknown:
        problem = f"{name} has the unknown label {sorted(unknown)[0]!r}"
        raise DatasetError("Finding Labels", problem, f"Known are {', '.join(FINDINGS)} and {NO_FINDING}")
    return tuple(float(finding in stated) for finding in FINDINGS)
