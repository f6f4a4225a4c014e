"""CheXpert v1.0 and v1.0-small (Irvin et al., AAAI 2019).

223,648 radiographs of Stanford patients, JPEG, frontal and lateral: 223,414 for training, labelled from reports, and
234 called valid, labelled by radiologists, on which papers test (202 are frontal). Later releases add 668 images called
test. 14 labels in the literature's order: 1, 0, -1 (uncertain) or blank (not mentioned). Research use after
registration; cite the paper.

The usual task learns 14 findings and tests 5: Atelectasis, Cardiomegaly, Consolidation, Edema and Pleural Effusion.

Pitfalls: papers differ in what they make of uncertain and blank labels, so that the options `uncertain` and `blank` say
it. No Finding is 1 or blank, never 0: with `blank: ignore` it has no negative. Paths of the tables begin with a folder
that may not be there (CheXpert-v1.0-small, CheXpert-v1.0), and the full release comes in batches whose folders no table
names: images are found by the last three parts of their path. An age of 0 is missing, 90 stands for all above; the
labels of the test images come without sex and age.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.finish import finish
from ..support.label_policy import LabelPolicy
from ..support.named_images import named_images
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ..support.views import keep_views
from ._chexpert_tables import FINDINGS, TABLES, Line, image_key, read_official

PUBLICATION = Publication(
    name="chexpert",
    title="CheXpert",
    where="https://stanfordaimi.azurewebsites.net (small: Kaggle ashery/chexpert)",
    licence="research use agreement",
    citation="Irvin et al., CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels, AAAI 2019",
    images=223_648,
    patients=64_740,
    splits={"train": 223_414, "test": 234},
    files=("{train,valid}/patient*/study*/view*.jpg", "train.csv", "valid.csv", "test_labels.csv (later releases)"),
    gives=("14 findings, some uncertain", "projection, sex, age"),
    signs=("patient*/study*/view*_frontal.jpg",),
)
SPLITS = {
    "valid": {"train": "train", "valid": "test"},
    "test": {"train": "train", "valid": "val", "test": "test"},
}
"""What the publisher's splits are for, by the one that is tested on."""
WITH_TEST = replace(PUBLICATION, images=224_316, patients=65_240, splits={"train": 223_414, "val": 234, "test": 668})
REMEDY = f"the images and tables that are at {PUBLICATION.where}"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    uncertain: str = "ignore",
    blank: str = "ignore",
    test_on: str = "valid",
    views: Sequence[str] | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the tables and the images, in whatever sub-folders.
        uncertain: what uncertain labels become: "ignore", "zeros", "ones", "smoothed" or "class"; see `LabelPolicy`.
        blank: what blank labels become: "ignore" or "zeros".
        test_on: "valid" tests on the 234 images called so, draws validation patients from those for training and leaves
            out the images called test; "test" tests on these 668 and validates on valid.
        views: projections to keep, such as [PA, AP]; None keeps all. Others are LATERAL, LL and RL; frontal images of
            the test set have none.
        val_fraction: share of the training patients to validate on where valid is tested on, in [0, 1).
        seed: of that draw and of smoothed labels.
        shared_patients: what to do with patients in two splits: "error", "drop" or "separate".

    Raises:
        DatasetError: no table, a column missing, no image of the tables there, an unknown option, or shared patients.
    """
    policy = LabelPolicy(uncertain, blank, seed)
    if test_on not in SPLITS:
        raise DatasetError("test_on", f"the value is {test_on!r}", f"It must be one of {', '.join(SPLITS)}")
    base = require_root(root, f"CheXpert is at {PUBLICATION.where}")
    tree = Tree(base)
    lines = _lines(tree, test_on)
    images = named_images(tree, lines, "the tables", f"Unpack {REMEDY}", key=_key)
    records = [
        Record(
            image=str(image),
            patient_id=key.partition("/")[0],
            split=split,
            source=PUBLICATION.name,
            labels=line.labels,
            view=line.view,
            study_id=key.rpartition("/")[0],
            sex=line.sex,
            age=line.age,
        )
        for key, image in images.items()
        for split, line in [lines[key]]
    ]
    corpus = finish(
        PUBLICATION if test_on == "valid" else WITH_TEST,
        keep_views(records, views),
        findings=FINDINGS,
        shared_patients=shared_patients,
        split_by=f"{base}: the tables",
        val_fraction=val_fraction,
        seed=seed,
        published=records,
    )
    return policy.apply(corpus, lambda record: str(image_key(record.image)))


def _lines(tree: Tree, test_on: str) -> dict[str, tuple[str, Line]]:
    """Our split and what is said of each image."""
    lines: dict[str, tuple[str, Line]] = {}
    for official, split in SPLITS[test_on].items():
        found = read_official(tree, official)
        if found is None:
            add_notice(f"{TABLES[official][0]} is missing: no images of the publisher's {official}")
            continue
        if both := sorted(found.keys() & lines.keys()):
            problem = f"it holds {len(both)} images of another table ({first_few(both)})"
            raise DatasetError(TABLES[official][0], problem, "Get the publisher's tables again")
        lines |= {key: (split, line) for key, line in found.items()}
    if not lines:
        names = ", ".join(TABLES[official][0] for official in SPLITS[test_on])
        raise DatasetError(tree.root, f"none of {names} in it", f"Get {REMEDY}")
    return lines


def _key(path: Path) -> str | None:
    return image_key(path.as_posix())
