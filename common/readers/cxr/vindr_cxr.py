"""VinDr-CXR (Nguyen et al., Scientific Data 2022), as PhysioNet and as Kaggle give it.

18,000 frontal radiographs of two Vietnamese hospitals, DICOM: 15,000 for training, each read by three of 17
radiologists, and 3,000 for testing, on which five agreed. PhysioNet's tables have 28 labels: 22 local findings, which
have boxes too, and 6 of the whole image (COPD, Lung tumor, Pneumonia, Tuberculosis, Other diseases, No finding).
Kaggle's challenge has 14 of the local ones and No finding, in `train.csv`; its 3,000 test images have no labels and are
left out, and patients for testing are drawn. The licence is PhysioNet's for credentialed users, or the challenge's
rules; cite the paper.

Pitfalls: in training the radiologists disagree: of 919 images that any calls Pneumonia, two do so of 471. The option
`votes` decides, and the released benchmark takes any. Their boxes of one finding overlap, so that a detector needs them
merged. The benchmark calls Pleural effusion "PE" and puts it in place of COPD, of which 36 images have some. Test and
training tables spell Other disease(s) differently. Edema has no positive test image. Boxes are in pixels of the DICOM
file: those of a copy that was resized would be wrong. No patients are known, so that each image counts as one; ages and
sexes stand in few headers. Names of images differ between PhysioNet and Kaggle: do not join them.
"""

import os
from dataclasses import replace
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Box, Corpus, Record
from ..registry import reader
from ..support.dicom_header import Header, read_headers
from ..support.finish import finish
from ..support.named_images import named_images
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ._vindr_cxr_tables import GLOBAL, KAGGLE, LOCAL, VOTES, boxes_of, image_labels, kaggle_labels

PUBLICATION = Publication(
    name="vindr_cxr",
    title="VinDr-CXR",
    where="https://physionet.org/content/vindr-cxr (or Kaggle vinbigdata-chest-xray-abnormalities-detection)",
    licence="PhysioNet Credentialed Health Data License, or the rules of the challenge",
    citation="Nguyen et al., VinDr-CXR: An open dataset of chest X-rays with radiologist's annotations, 2022",
    images=18_000,
    splits={"train": 15_000, "test": 3_000},
    files=("{train,test}/*.dicom", "annotations/image_labels_*.csv and annotations_*.csv (Kaggle: train.csv)"),
    gives=("22 local findings with boxes", "6 of the whole image", "spacing"),
    signs=("image_labels_train.csv*", "train/*.dicom"),
)
ON_KAGGLE = replace(PUBLICATION, images=15_000, splits={})
REMEDY = f"Get it from {PUBLICATION.where}"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    votes: str = "any",
    headers: bool = True,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Corpus:
    """Read PhysioNet's or Kaggle's folder, or any part of it.

    Args:
        root: holds the tables and the images, in whatever sub-folders. With both layouts PhysioNet's is read.
        votes: a training image has a finding if "any", the "majority" or "all" of its radiologists say so; the boxes of
            other findings are left out.
        headers: read sex, age, projection and spacing of pixels from the DICOM headers, a millisecond for each file.
        val_fraction: share of the training images to validate on, in [0, 1).
        test_fraction: share of the images to test on, for Kaggle's layout.
        seed: of both draws.

    Raises:
        DatasetError: no table, a column missing, no image of it there, an unknown finding or option, or a box outside
            its image.
    """
    if votes not in VOTES:
        raise DatasetError("votes", f"the value is {votes!r}", f"It must be one of {', '.join(VOTES)}")
    base = require_root(root, f"VinDr-CXR is at {PUBLICATION.where}")
    tree = Tree(base)
    labelled, findings, box_tables = _tables(tree, votes)
    unpack = f"Get the folders train and test from {PUBLICATION.where}"
    images = named_images(tree, labelled, "the tables of labels", unpack)
    labels = {image: labelled[name][1] for name, image in images.items()}
    boxes: dict[Path, tuple[Box, ...]] = {}
    for split, path in box_tables.items():
        here = [image for name, image in images.items() if labelled[name][0] == split]
        if here:
            boxes |= boxes_of(path, here, base, labels, findings)
    facts = read_headers(list(images.values())) if headers else {}
    records = []
    for name, image in images.items():
        known = facts.get(image, Header())
        records.append(
            Record(
                image=str(image),
                patient_id=name,
                split=labelled[name][0],
                source=PUBLICATION.name,
                labels=labels[image],
                boxes=boxes.get(image, ()),
                view=known.view,
                sex=known.sex,
                age=known.age,
                pixel_spacing=known.pixel_spacing,
            )
        )
    corpus = finish(
        ON_KAGGLE if findings == KAGGLE else PUBLICATION,
        records,
        findings=findings,
        test_fraction=test_fraction if findings == KAGGLE else None,
        val_fraction=val_fraction,
        seed=seed,
    )
    return replace(corpus, choices={"votes": votes})


def _tables(
    tree: Tree, votes: str
) -> tuple[dict[str, tuple[str, tuple[float, ...]]], tuple[str, ...], dict[str, Path]]:
    """Split and labels of each image, the findings, and split -> table of boxes."""
    paths = {split: tree.find((f"image_labels_{split}.csv",)) for split in ("train", "test")}
    if any(paths.values()):
        labelled: dict[str, tuple[str, tuple[float, ...]]] = {}
        for split, path in paths.items():
            if path is None:
                add_notice(f"image_labels_{split}.csv is missing: no images of its split")
                continue
            found = image_labels(path, votes if split == "train" else None)
            if both := sorted(found.keys() & labelled.keys()):
                problem = f"it holds {len(both)} images of the training table ({first_few(both)})"
                raise DatasetError(path, problem, "Get the publisher's tables again")
            labelled |= {name: (split, labels) for name, labels in found.items()}
        boxes = {split: tree.find((f"annotations_{split}.csv",)) for split in paths}
        for split in [split for split in paths if boxes[split] is None]:
            add_notice(f"annotations_{split}.csv is missing: no boxes of its images")
        return labelled, (*LOCAL, *GLOBAL), {split: path for split, path in boxes.items() if path is not None}
    path = tree.find(("train.csv",))
    if path is None:
        raise DatasetError(tree.root, "neither image_labels_train.csv (PhysioNet) nor train.csv (Kaggle) in it", REMEDY)
    labels = kaggle_labels(path, votes)
    return {name: ("train", row) for name, row in labels.items()}, KAGGLE, {"train": path}
