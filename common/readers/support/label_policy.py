"""What stands for labels that a report leaves open: uncertain ones (-1 in the table) and blank ones (not mentioned).

Shapes: N labelled images, K findings.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record

UNCERTAIN = -1.0
UNCERTAIN_CHOICES = ("ignore", "zeros", "ones", "smoothed", "class")
BLANK_CHOICES = ("ignore", "zeros")
SMOOTHED = (0.55, 0.85)
CLASS_SUFFIX = " uncertain"


@dataclass(frozen=True)
class LabelPolicy:
    """Turns labels as a labeller of reports writes them into labels to learn and to judge by.

    Args:
        uncertain: "ignore" makes them unknown (nan), "zeros" and "ones" 0 and 1. "smoothed" draws from U(0.55, 0.85)
            for the loss; such a label is no truth, so that a report leaves it out as unknown. "class" makes uncertain
            a class beside positive and negative, in two binary columns: after the findings come as many again, such as
            `Edema uncertain`. Of the columns (Edema, Edema uncertain) a positive is (1, 0), an uncertain one (0, 1), a
            negative (0, 0), and an unknown one nan in both.
        blank: "ignore" or "zeros".
        seed: of "smoothed". A value depends on the seed, the image and the finding, not on what else is read.

    Raises:
        DatasetError: another value.

    Source: CheXpert, section 3, https://arxiv.org/abs/1901.07031 (ignore, zeros, ones, class); smoothing is LSR-Ones of
    Pham et al., section 3.3, https://arxiv.org/abs/1911.06475, which chose U(0.55, 0.85).
    """

    uncertain: str
    blank: str
    seed: int = 0

    def __post_init__(self) -> None:
        _check("uncertain", self.uncertain, UNCERTAIN_CHOICES)
        _check("blank", self.blank, BLANK_CHOICES)

    def apply(self, corpus: Corpus, name_of: Callable[[Record], str]) -> Corpus:
        """Replace the open labels of a corpus, and note what was chosen.

        Args:
            corpus: with labels 1, 0, -1 (uncertain) and nan (blank).
            name_of: an image's name in its data set, the same wherever that lies.

        Returns:
            A corpus whose `choices` name the policy.
        """
        labelled = [record for record in corpus.records if record.labels is not None]
        values_NK = np.array([record.labels for record in labelled], dtype=float).reshape(-1, len(corpus.findings))
        uncertain_NK, blank_NK = values_NK == UNCERTAIN, np.isnan(values_NK)
        values_NK[blank_NK] = {"ignore": np.nan, "zeros": 0.0}[self.blank]
        values_NK[uncertain_NK] = {"zeros": 0.0, "class": 0.0, "ones": 1.0}.get(self.uncertain, np.nan)
        if self.uncertain == "smoothed":
            for n, k in np.argwhere(uncertain_NK):
                values_NK[n, k] = _draw(f"{self.seed}/{name_of(labelled[n])}/{corpus.findings[k]}")
        findings = corpus.findings
        if self.uncertain == "class":
            also_NK = np.where(np.isnan(values_NK), np.nan, uncertain_NK)
            values_NK = np.concatenate([values_NK, also_NK], axis=-1)
            findings += tuple(f"{finding}{CLASS_SUFFIX}" for finding in findings)
        for count, what, chosen in (
            (uncertain_NK.sum(), "uncertain", self.uncertain),
            (blank_NK.sum(), "blank", self.blank),
        ):
            if count:
                add_notice(f"{count:,} labels are {what}; the option {what} makes of them: {chosen}")
        decided = iter(map(tuple, values_NK.tolist()))
        records = tuple(
            record if record.labels is None else replace(record, labels=next(decided)) for record in corpus.records
        )
        choices = {**corpus.choices, "uncertain": self.uncertain, "blank": self.blank}
        return replace(corpus, records=records, findings=findings, choices=choices)


def _draw(key: str) -> float:
    share = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[:6], "big") / 2**48
    return SMOOTHED[0] + (SMOOTHED[1] - SMOOTHED[0]) * share


def _check(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise DatasetError(option, f"the value is {value!r}", f"It must be one of {', '.join(choices)}")
