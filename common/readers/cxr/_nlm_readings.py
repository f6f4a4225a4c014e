"""Clinical readings of the two tuberculosis sets of the National Library of Medicine: one small text for each image."""

import re
from collections.abc import Collection
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_text
from ..support.person import age_of, sex_of
from ..support.tree import Tree

SEX = re.compile(r"\bsex\s*:\s*([a-z]+)|\b(female|male)\b", re.IGNORECASE)
AGE = re.compile(r"\bage\s*:\s*(\d+\s*[a-z]*)|(\d+\s*-?\s*(?:y|m|w|d)[a-z]*)", re.IGNORECASE)


def clinical_readings(tree: Tree, names: Collection[str]) -> dict[str, tuple[str | None, float | None]]:
    """Return image -> sex and age, read off `male 45yrs` (Shenzhen) or `Patient's Sex: F`, `Patient's Age: 027Y`.

    A text that is missing or says neither leaves them unknown, with a notice.

    Args:
        tree: files of the data set.
        names: of the images, without suffix, as the texts are named.
    """
    texts = {path.stem: path for path in tree.paths if path.suffix.lower() == ".txt" and path.stem in names}
    told = {name: _reading(path) for name, path in texts.items()}
    silent = sorted(set(names) - {name for name, facts in told.items() if None not in facts})
    if silent:
        add_notice(f"{len(silent)} images have no clinical reading with sex and age ({first_few(silent)})")
    return told


def _reading(path: Path) -> tuple[str | None, float | None]:
    try:
        text = read_text(path)
    except DatasetError as error:
        add_notice(str(error))
        return None, None
    sex, age = SEX.search(text), AGE.search(text)
    return sex and sex_of(sex[1] or sex[2]), age and age_of(age[1] or age[2])
