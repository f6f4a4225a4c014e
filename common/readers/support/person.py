"""What tables and headers say of a person: sex and age in any of their spellings."""

import re
from collections.abc import Iterable

from ...files.notices import add_notice, first_few

OLDEST = 120.0  # years; more is a typing error, of which ChestX-ray14 and RSNA have some
YEARS = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}  # by the first letter of the unit
AT_LEAST = re.compile(
    r"(?:>=?|over)\s*(\d+)|(\d+)\s*(?:\+|or (?:more|older|over))", re.IGNORECASE
)  # to hide who is old
AGE = re.compile(r"(\d+(?:\.\d+)?)\s*-?\s*(y|yrs?|years?|m|mos?|months?|w|weeks?|d|days?)?(?: old)?\.?", re.IGNORECASE)
SEXES = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}


def sex_of(text: str) -> str | None:
    """Return "F" or "M"; None for anything else, such as "O" and "Unknown".

    Example:
        >>> sex_of("female"), sex_of(" M"), sex_of("?")
        ('F', 'M', None)
    """
    return SEXES.get(text.strip().casefold())


def age_of(text: str) -> float | None:
    """Return years from "45", "045Y", "45yrs" or "18M"; None where it says nothing possible, such as "?" and "412".

    Where all above an age are one, as in "90+", ">89" or "85 or more", it is that age.

    Example:
        >>> age_of("027Y"), age_of("45 yrs"), age_of("006M"), age_of("155"), age_of("85 or more")
        (27.0, 45.0, 0.5, None, 85.0)
    """
    oldest = AT_LEAST.fullmatch(text.strip())
    found = AGE.fullmatch(oldest[1] or oldest[2] if oldest else text.strip())
    if not found:
        return None
    years = float(found[1]) * YEARS[(found[2] or "y")[0].lower()]
    return years if years <= OLDEST else None


def ages_of(texts: Iterable[str], where: str) -> list[float | None]:
    """Return `age_of` of each text, and say which are too many years to be true, or no age that is known here.

    Args:
        texts: as written; blank where nothing is known.
        where: table or files that say them, for the notice.
    """
    stated = list(texts)
    ages = {text: age_of(text) for text in set(stated)}
    impossible = [text for text in stated if ages[text] is None and AGE.fullmatch(text.strip())]
    if impossible:
        few = first_few(dict.fromkeys(impossible))
        add_notice(f"{where}: {len(impossible):,} ages are above {OLDEST:.0f} years and left out ({few})")
    unread = [text for text in stated if re.search(r"\d", text) and ages[text] is None and text not in impossible]
    if unread:
        few = first_few(dict.fromkeys(unread))
        add_notice(f"{where}: {len(unread):,} ages are written in a way that is not known here, and left out ({few})")
    return [ages[text] for text in stated]
