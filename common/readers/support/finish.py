"""What every reader does with its records in the end: compare with the publication, split by patient, make a corpus."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from .publication import Publication
from .splits import hold_out, separate_patients


def finish(
    publication: Publication,
    records: Sequence[Record],
    *,
    name: str | None = None,
    findings: Sequence[str] = (),
    structures: Sequence[str] = (),
    landmarks: Sequence[str] = (),
    shared_patients: str = "error",
    split_by: str = "",
    test_fraction: float | None = None,
    val_fraction: float | None = None,
    seed: int = 0,
    stratify: bool = False,
    published: Sequence[Record] | None = None,
) -> Corpus:
    """Make the corpus, and add a notice of whatever differs from the publication.

    Args:
        publication: of the data set.
        records: found, with the splits that lists or folders give, and "train" without.
        name: of the corpus; None takes the publication's.
        findings: as of `Corpus`, as are the next two.
        structures: names of the masks.
        landmarks: names of the landmarks.
        shared_patients: what to do with patients in two splits: "error", "drop" or "separate".
        split_by: the list or folder that gave the splits, for messages.
        test_fraction: share of the patients to test on where no image has that split, in [0, 1); None draws none.
        val_fraction: share of the training patients to validate on where no image has that split; None draws none.
        seed: of both draws.
        stratify: draw from patients with a finding and from those without apart, so that splits agree in their share.
        published: those of the publication that are here; None takes `records`, of which none has been left out.

    Raises:
        SharedPatients: patients in two splits.
        DatasetError: a share out of range, or an unknown value of `shared_patients`.
    """
    drawn = test_fraction is not None and not any(record.split == "test" for record in records)
    # Splits that we draw are not those whose counts are published.
    facts = replace(publication, splits={}) if drawn else publication
    for difference in facts.compare(records if published is None else published):
        add_notice(difference)
    unlabelled = [Path(record.image).name for record in records if record.labels is None]
    if unlabelled and publication.images is not None:
        unit = "volumes" if publication.volumes else "images"
        add_notice(f"{len(unlabelled):,} {unit} have no labels ({first_few(unlabelled)})")
    records = separate_patients(records, shared_patients, split_by or publication.title)
    if drawn:
        records = hold_out(records, test_fraction or 0.0, seed, "test", "test_fraction", stratify)
        if test_fraction and publication.images is not None:
            why = "not the official split" if publication.splits else "there is no official split"
            add_notice(f"{test_fraction:.1%} of the patients drawn as test with seed {seed}: {why}")
    if val_fraction is not None and not any(record.split == "val" for record in records):
        records = hold_out(records, val_fraction, seed, "val", "val_fraction", stratify)
    return Corpus(name or publication.name, tuple(records), tuple(findings), tuple(structures), tuple(landmarks))
