"""PadChest (Bustos et al., Medical Image Analysis 2020).

160,861 radiographs of patients in Alicante, 16-bit PNG of many sizes, frontal and lateral, with findings that
physicians marked in a part of the reports and a network in the others (column MethodLabel). There is no official split
of training and test images; patients are drawn. Research use under an agreement; cite the paper.

Labels keep the publisher's words. Without the option `findings` 26 common ones are given, which other data sets have
too; `normal` is one of them. An image whose only labels are `unchanged` or `suboptimal study` has unknown labels, since
its findings stand in an older report. A label counts by its own word: laminar atelectasis is not atelectasis.

Pitfalls: cells of Labels are lists in Python's notation, with blanks within and around the labels, and about 100 are
empty. Images of which the publisher says EXCLUDE (as projection) or `exclude` (as label) are left out, and so are 21
files that are missing or broken in copies of it. Projections are PA, L, AP, AP_horizontal and COSTAL: L is given as
LATERAL, and AP_horizontal, of patients who lie, as AP. Age is the year of the study less that of birth. The spacing
of pixels is not given, for it is not known whose it is in copies of another size. Images lie in folders 0 to 54, or
all in one. NODE21 and the COVID-19 Radiography Database re-use some of them.
"""

import os
from collections.abc import Sequence

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.finish import finish
from ..support.named_images import named_images
from ..support.publication import Defect, Publication
from ..support.suffixes import stem
from ..support.tree import Tree, require_root
from ..support.views import keep_views
from ._padchest_labels import chosen_findings, label_row
from ._padchest_table import BROKEN, TABLE, read_lines

PUBLICATION = Publication(
    name="padchest",
    title="PadChest",
    where="https://bimcv.cipf.es/bimcv-projects/padchest",
    licence="research use agreement",
    citation="Bustos et al., PadChest: A large chest x-ray image dataset with multi-label annotated reports, 2020",
    images=160_861,
    files=("*.png (archives 0 to 50, and 54)", f"{TABLE}.gz"),
    gives=("26 findings, or any that are named", "projection, sex, age"),
    signs=("PADCHEST_chest_x_ray_images_labels_*.csv*",),
    defects=(
        Defect(
            "files that are broken in copies of it",
            lambda tree: [path for path in tree.paths if stem(path.name) in BROKEN],
            "They are left out: nothing is to do",
        ),
    ),
)
REMEDY = f"Get it from {PUBLICATION.where}"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    findings: Sequence[str] | None = None,
    views: Sequence[str] | None = None,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the table and the images, in whatever sub-folders.
        findings: labels of the table to give, in the order wanted; None gives 26 common ones.
        views: projections to keep, such as [PA, AP]; None keeps all.
        val_fraction: share of the training patients to validate on, in [0, 1).
        test_fraction: share of the patients to test on, in [0, 1).
        seed: of both draws.

    Raises:
        DatasetError: no table, a column missing, no image of the table there, or an unknown finding or projection.
    """
    base = require_root(root, f"PadChest is at {PUBLICATION.where}")
    tree = Tree(base)
    path = tree.find((TABLE,))
    if path is None:
        raise DatasetError(base, f"no {TABLE}.gz in it", REMEDY)
    lines = read_lines(path)
    wanted = chosen_findings(findings, (line.labels for line in lines.values()))
    excluded = {name for name, line in lines.items() if line.excluded}
    unpack = f"Unpack the archives there; they are at {PUBLICATION.where}"
    images = named_images(tree, lines, path.name, unpack, may_lack=BROKEN)
    for names, why in ((excluded, "the publisher excludes"), (BROKEN, "are known to be broken")):
        if found := sorted(names & images.keys()):
            add_notice(f"{len(found):,} images that {why} are left out ({first_few(found)})")
    records = [
        Record(
            image=str(image),
            patient_id=line.patient,
            split="train",
            source=PUBLICATION.name,
            labels=label_row(line.labels, wanted),
            view=line.view,
            study_id=line.study,
            sex=line.sex,
            age=line.age,
        )
        for name, image in images.items()
        for line in [lines[name]]
        if name not in excluded | BROKEN
    ]
    return finish(
        PUBLICATION,
        keep_views(records, views),
        findings=wanted,
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
        published=records,
    )
