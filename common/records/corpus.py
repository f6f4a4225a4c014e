"""What a reader returns: one record per image, and the corpus that holds them.

Everything geometric is a fraction of the image's height and width, (row, col) order, so that a store
of another size needs no bookkeeping.
"""

import hashlib
import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from pathlib import PurePath

SPLITS = ("train", "val", "test")
IGNORE = 255  # value of a mask, or of a label map in memory, where no label is known


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around a finding.

    Args:
        finding: name; one of the corpus's findings where its labels have it.
        top: fraction of the image height in [0, 1].
        left: fraction of the image width in [0, 1].
        bottom: as `top`, exclusive.
        right: as `left`, exclusive.
    """

    finding: str
    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the numbers of a CT volume's file become Hounsfield units and millimetres, where the file does not say it.

    Args:
        slope: Hounsfield units per stored number.
        intercept: Hounsfield units of a stored 0.
        spacing: millimetres between voxels, (depth, row, col), each above 0.
    """

    slope: float
    intercept: float
    spacing: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Record:
    """One image and all that is known about it.

    Args:
        image: absolute path of the file; of a CT series in DICOM, of its folder.
        patient_id: patients never cross splits.
        split: "train", "val" or "test".
        source: name of the data set.
        labels: one number per finding of the corpus, in its order; nan is unknown; one-hot for classes that
            exclude each other; None without labels.
        masks: structure -> file of its mask alone.
        boxes: rectangles around findings.
        landmarks: name -> (row, col) as fractions of (height, width).
        view: projection ("PA", "AP", ...) where it is known.
        study_id: examination that this image is one series or reconstruction of, where there may be several.
        calibration: of a CT volume whose publisher gives it in a table.
        label_map: file of integers on a CT volume's grid, one for each structure. It names them itself, or by a table
            that a recipe chooses, so that nobody knows which there are before it is read: they are no `masks`.
        sex: "F" or "M" where the publisher says it; results are told by it.
        age: of the patient in years, where it is said and possible; results are told by groups of it.
        pixel_spacing: millimetres on the patient between pixels of the file, (row, col), where it is known.
    """

    image: str
    patient_id: str
    split: str
    source: str
    labels: tuple[float, ...] | None = None
    masks: Mapping[str, str] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    landmarks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    view: str | None = None
    study_id: str | None = None
    calibration: Calibration | None = None
    label_map: str | None = None
    sex: str | None = None
    age: float | None = None
    pixel_spacing: tuple[float, float] | None = None


@dataclass(frozen=True)
class Corpus:
    """What a reader found in a folder.

    Args:
        name: name of the data set; stores are named after it.
        records: one per image.
        findings: names of the labels, in the order of `Record.labels`.
        structures: names that occur in `Record.masks`.
        landmarks: names that occur in `Record.landmarks`.
        notices: what differs from the publisher's counts, and what was left out.
        choices: what was chosen of labels that a publisher leaves open, by name, such as {"uncertain": "ones"}; it is
            kept with every result.

    Example:
        >>> records = tuple(Record(f"/x/{n}.png", f"patient {n}", "train", "mine", labels=(n % 2,)) for n in range(4))
        >>> corpus = Corpus("mine", records, findings=("Effusion",))
        >>> len(corpus.subset("train")), len(corpus.subset("train", fraction=0.5))
        (4, 2)
    """

    name: str
    records: tuple[Record, ...]
    findings: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    landmarks: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def subset(
        self,
        split: str | None = None,
        fraction: float | None = None,
        limit: int | None = None,
        seed: int | None = 99,
        usable: Callable[["Record"], bool] | None = None,
    ) -> "Corpus":
        """Keep one split, or a share of it for a label-efficient run.

        A share is drawn as the papers' code draws it: shuffle the indices with `random.Random(99)` and take
        the first int(N * fraction), at least one. Shares of one seed are therefore nested.

        Args:
            split: "train", "val" or "test"; None keeps all.
            fraction: share of the records, in (0, 1].
            limit: at most this many records, 1 or more, counted after `fraction`.
            seed: of the shuffle; None does not shuffle, so that `limit` takes the first of the list.
            usable: whether a record has what a task needs; the others are left out, and no share counts them.

        Returns:
            A corpus with its records in the original order.

        Raises:
            ValueError: an unknown split, a share out of range, or a split without records.
        """
        if split is not None and split not in SPLITS:
            raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
        if fraction is not None and not 0 < fraction <= 1:
            raise ValueError(f"fraction is {fraction}; it must lie in (0, 1]")
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}; it must be 1 or more")
        records = [record for record in self.records if split in (None, record.split)]
        records = [record for record in records if usable is None or usable(record)]
        if not records:
            counts = {name: sum(record.split == name for record in self.records) for name in SPLITS}
            raise ValueError(f"{self.name} has no images in split {split!r} (it has {counts})")
        chosen = list(range(len(records)))
        if seed is not None:
            random.Random(seed).shuffle(chosen)
        if fraction is not None:
            chosen = chosen[: max(1, int(len(records) * fraction))]
        if limit is not None:
            chosen = chosen[:limit]
        return replace(self, records=tuple(records[index] for index in sorted(chosen)))

    def limited(self, limit: int | None) -> "Corpus":
        """Keep at most so many images of each split, those that `subset` takes of it; a trial reads no others.

        Args:
            limit: 1 or more; None keeps all.
        """
        if limit is None:
            return self
        splits = [name for name in SPLITS if any(record.split == name for record in self.records)]
        kept = {id(record) for name in splits for record in self.subset(name, limit=limit).records}
        return replace(self, records=tuple(record for record in self.records if id(record) in kept))

    def fingerprint(self) -> str:
        """Return 12 hexadecimal digits that change with any name, label, split or annotation.

        Folders do not enter, so the same data in two places have the same fingerprint. Nor do sex, age and pixel
        spacing, by which results are told and nothing is trained.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps([self.findings, self.structures, self.landmarks]).encode())
        for record in self.records:
            labels = record.labels and [None if math.isnan(value) else value for value in record.labels]
            boxes = [(box.finding, box.top, box.left, box.bottom, box.right) for box in record.boxes]
            facts: list[object] = [PurePath(record.image).name, record.patient_id, record.split, labels, boxes]
            facts += [sorted(record.masks), sorted(record.landmarks.items()), record.view]
            if record.study_id is not None:
                facts.append(["study", record.study_id])
            if record.calibration is not None:
                facts.append(["calibration", astuple(record.calibration)])
            if record.label_map is not None:
                facts.append(["label map"])
            digest.update(json.dumps(facts).encode())
        return digest.hexdigest()[:12]
