"""ChestX-Det (Lian et al., 2021): 13 findings outlined by radiologists on images of ChestX-ray14.

3,578 radiographs of 1024 x 1024 pixels with 9,639 polygons and boxes of 13 findings; 611 images have none. The official
split is 3,025 images for training, of which validation images are drawn, and 553 for testing. Use for research, as of
ChestX-ray14; cite the paper.

A finding's mask is the union of its polygons, drawn once into a folder beside the data; one that an image does not have
is empty, not unknown. `disease` is the union of all of them. Boxes are the publisher's, which are at least 20 pixels
wide where polygons of calcifications and fractures are smaller; at most others they are the polygon's bounds.

Pitfalls: images are numbered anew, so that neither patients nor the images of ChestX-ray14 can be told: each counts as
a patient, and what is trained on ChestX-ray14 may have seen them. Names of findings have blanks ("Pleural Thickening"),
structures underscores. Adam draws 80:20 from all images instead of the official split; ACE merges all findings.
"""

import os
from dataclasses import replace

from ...records import Corpus
from ..registry import reader
from ..support.drawn_masks import DrawnMasks
from ..support.finish import finish
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ._chestx_det_files import find_entries, find_images, make_records

PUBLICATION = Publication(
    name="chestx_det",
    title="ChestX-Det",
    where="https://github.com/Deepwise-AILab/ChestX-Det-Dataset (images at resource.deepwise.com/ChestX-Det)",
    licence="research; cite the paper",
    citation="Lian et al., A Structure-Aware Relation Network for Thoracic Diseases Detection and Segmentation, 2021",
    images=3_578,
    splits={"train": 3_025, "test": 553},
    files=("train_data/*.png", "test_data/*.png", "ChestX_Det_train.json", "ChestX_Det_test.json"),
    gives=("13 findings", "masks and boxes of each"),
    signs=("ChestX_Det_train.json", "ChestX_Det_test.json"),
)
FINDINGS = (
    *("Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "Diffuse Nodule", "Effusion", "Emphysema"),
    *("Fibrosis", "Fracture", "Mass", "Nodule", "Pleural Thickening", "Pneumothorax"),
)
STRUCTURES = {
    **{finding.lower().replace(" ", "_"): (finding,) for finding in FINDINGS},
    "disease": FINDINGS,
}
TABLES = {"train": "ChestX_Det_train.json", "test": "ChestX_Det_test.json"}


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    masks: bool = True,
    official_split: bool = True,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    masks_dir: str | None = None,
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the two JSON files and the images, in whatever sub-folders.
        masks: draw the masks; without them nothing is written.
        official_split: test on the publisher's test images; otherwise on a share of all.
        val_fraction: share of the training images to validate on, in [0, 1).
        test_fraction: share of the images to test on where the split is not the official one, in [0, 1).
        seed: of the draws.
        masks_dir: folder to draw masks into; None takes one in the root.

    Raises:
        DatasetError: no JSON, one of another form or with an unknown finding, no image of it, or a polygon or box
            outside its image.
        SharedPatients: an image in both splits.
    """
    base = require_root(root, f"ChestX-Det is at {PUBLICATION.where}")
    drawn = DrawnMasks(base, PUBLICATION.name, masks_dir)
    tree = Tree(base, skip=[drawn.folder])
    entries = find_entries(tree, TABLES, FINDINGS, True, PUBLICATION.where)
    images = find_images(tree, entries, PUBLICATION.where)
    if masks:
        for name, image in images.items():
            for structure, findings in STRUCTURES.items():
                drawn.add(image, structure, entries[name].mask(findings))
    records = make_records(PUBLICATION.name, images, entries, FINDINGS, drawn.draw() if masks else {})
    return finish(
        PUBLICATION,
        records if official_split else [replace(record, split="train") for record in records],
        findings=FINDINGS,
        structures=tuple(STRUCTURES) if masks else (),
        test_fraction=None if official_split else test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )
