"""PadChest's column `Labels`, a list in Python's notation, and what it says beside findings."""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ..support.tables import blank

EXCLUDE = "exclude"
ABOUT_THE_IMAGE = frozenset({"", EXCLUDE, "unchanged", "suboptimal study"})
"""Labels that name no finding; of an image with no others nothing is known."""
DEFAULT = (
    *("normal", "atelectasis", "consolidation", "infiltrates", "pneumothorax", "pulmonary edema", "emphysema"),
    *("pulmonary fibrosis", "pleural effusion", "pneumonia", "pleural thickening", "cardiomegaly", "nodule"),
    *("pulmonary mass", "hiatal hernia", "granuloma", "flattened diaphragm", "bronchiectasis"),
    *("aortic elongation", "scoliosis", "hilar enlargement", "tuberculosis", "air trapping"),
    *("costophrenic angle blunting", "aortic atheromatosis", "hemidiaphragm elevation"),
)


def parse_labels(text: str) -> frozenset[str] | None:
    """Return the labels of a cell, in lower case and without blanks around; None where it is blank.

    Raises:
        ValueError: no list of texts.
    """
    if blank(text):
        return None
    try:
        labels = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        labels = None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{text[:80]!r} is no list of labels")
    return frozenset(label.strip().casefold() for label in labels)


def chosen_findings(findings: Sequence[str] | None, stated: Iterable[frozenset[str] | None]) -> tuple[str, ...]:
    """Return the findings to give labels for.

    Args:
        findings: the reader's option; None takes those of `DEFAULT`, whether an image has them or not.
        stated: labels of all lines of the table.

    Raises:
        DatasetError: a finding that no line has, naming the nearest.
    """
    counts: Mapping[str, int] = Counter(label for labels in stated for label in labels or ())
    if findings is None:
        if nowhere := [finding for finding in DEFAULT if finding not in counts]:
            add_notice(f"no line of the table has {', '.join(nowhere)}")
        return DEFAULT
    wanted = tuple(finding.strip().casefold() for finding in findings)
    for finding in wanted:
        if finding not in counts or finding in ABOUT_THE_IMAGE:
            near = get_close_matches(finding, counts.keys() - ABOUT_THE_IMAGE, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise DatasetError("findings", f"no image has the finding {finding!r}", f"{hint}See the column Labels")
    return wanted


def label_row(labels: frozenset[str] | None, findings: Sequence[str]) -> tuple[float, ...] | None:
    """Return 1 or 0 for each finding; None where nothing is known."""
    if labels is None or labels <= ABOUT_THE_IMAGE:
        return None
    return tuple(float(finding in labels) for finding in findings)
