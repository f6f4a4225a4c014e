"""Splits by patient: drawing them, and refusing those that share one."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ...files.errors import DatasetError, SharedPatients
from ...files.notices import add_notice, first_few
from ...records import Record

SHARED = ("error", "drop", "separate")


def rank_patients(patients: Iterable[str], seed: int | str) -> list[str]:
    """Put patients in the order of a hash of (seed, patient), each once.

    The order hardly changes when images are added, and not at all with theirs.
    """
    return sorted(set(patients), key=lambda patient: _digest(f"{seed}/{patient}"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()  # a patient may be a file's name


def draw_patients(patients: Iterable[str], share: float, seed: int | str, option: str) -> set[str]:
    """Choose a share of the patients, the first ones of `rank_patients`.

    Args:
        patients: identifiers.
        share: in [0, 1); at least one patient where it is above 0 and two or more are there.
        seed: of the draw; draws from what an earlier draw left need another one.
        option: the reader's option that gave the share.

    Raises:
        DatasetError: share out of range.
    """
    if not 0 <= share < 1:
        raise DatasetError(option, f"the value is {share}", "It must lie in [0, 1)")
    ranked = rank_patients(patients, seed)
    count = round(len(ranked) * share)
    if share > 0 and len(ranked) > 1:
        count = min(max(count, 1), len(ranked) - 1)
    return set(ranked[:count])


def hold_out(
    records: Sequence[Record], share: float, seed: int, to: str, option: str, stratify: bool = False
) -> list[Record]:
    """Move a share of the training patients to another split.

    Args:
        records: with splits.
        share: of the patients, in [0, 1).
        seed: of the draw.
        to: the other split.
        option: the reader's option that gave the share.
        stratify: take this share of the patients with a finding, of those without any, and of those without labels.
    """
    strata: dict[str, int] = {}
    for record in records:
        if record.split == "train":
            strata[record.patient_id] = max(strata.get(record.patient_id, 0), _stratum(record) if stratify else 0)
    chosen: set[str] = set()
    for stratum in {0, *strata.values()}:
        patients = [patient for patient, own in strata.items() if own == stratum]
        chosen |= draw_patients(patients, share, seed, option)
    return [replace(r, split=to) if r.split == "train" and r.patient_id in chosen else r for r in records]


def _stratum(record: Record) -> int:
    """0 without labels, 1 without a finding, 2 with one."""
    return 0 if record.labels is None else 1 + any(value > 0 for value in record.labels)


def separate_patients(records: Sequence[Record], shared: str, where: str) -> list[Record]:
    """Deal with patients that occur in two splits, and say so.

    Args:
        records: with splits.
        shared: the reader's option `shared_patients`: "error", "drop" (their images leave the training
            and validation splits) or "separate" (numbering restarts in each split, so they are other people).
        where: the list or folder that gave the splits.

    Raises:
        SharedPatients: there are some and `shared` is "error".
        DatasetError: an unknown value of `shared`.
    """
    if shared not in SHARED:
        raise DatasetError("shared_patients", f"the value is {shared!r}", f"It must be one of {', '.join(SHARED)}")
    splits, example = defaultdict(set), {}
    for record in records:
        splits[record.patient_id].add(record.split)
        example[record.patient_id, record.split] = record.image
    both = sorted(patient for patient, names in splits.items() if len(names) > 1)
    if not both:
        return list(records)
    if shared == "error":
        names = sorted(splits[both[0]])
        problem = f"{len(both)} patients are in two splits, such as {both[0]} in {' and '.join(names)}: "
        problem += " and ".join(example[both[0], name] for name in names)
        remedy = "Correct the split, or set shared_patients to 'drop' (train without them) or 'separate' "
        raise SharedPatients(where, problem, remedy + "(where numbering restarts in each split)")
    if shared == "separate":
        add_notice(f"{len(both)} patient numbers occur in two splits and are taken for different patients")
        apart = set(both)
        return [replace(r, patient_id=f"{r.split}/{r.patient_id}") if r.patient_id in apart else r for r in records]
    return _drop(records, splits, both)


def _drop(records: Sequence[Record], splits: dict[str, set[str]], both: list[str]) -> list[Record]:
    """Keep a shared patient only in the split that matters most: test, then val, then train."""
    home = {patient: next(s for s in ("test", "val", "train") if s in splits[patient]) for patient in both}
    kept = [record for record in records if home.get(record.patient_id, record.split) == record.split]
    add_notice(
        f"{len(records) - len(kept)} images left out: their patients ({first_few(both)}) are in a later split too"
    )
    return kept
