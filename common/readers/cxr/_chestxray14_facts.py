"""What ChestX-ray14's label table says of a patient and of the pixels; columns that a mirror lacks say nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..support.person import ages_of, sex_of
from ..support.pixel_size import common_size, resized_spacing
from ..support.tables import cells, number

SEX, AGE = "Patient Gender", "Patient Age"
# The header has commas inside two names, which cut each in two: [Width,Height] and [x,y].
HEIGHT, WIDTH = "Height]", "OriginalImage[Width"
STEP_DOWN, STEP_RIGHT = "y]", "OriginalImagePixelSpacing[x"
COLUMNS = (SEX, AGE, HEIGHT, WIDTH, STEP_DOWN, STEP_RIGHT)


@dataclass(frozen=True, slots=True)
class Facts:
    """As the fields of `Record`."""

    sex: str | None
    age: float | None
    pixel_spacing: tuple[float, float] | None


def facts(table: pd.DataFrame, path: Path, images: Sequence[Path]) -> list[Facts]:
    """Return what is known of each line's image.

    Args:
        table: lines of images that are here.
        path: of the table.
        images: files, whose size tells how far the originals, 2,000 to 3,000 pixels a side, were reduced.
    """
    size = common_size(images)
    spacings: list[tuple[float, float] | None] = [None] * len(table)
    if size is not None:
        measures = [[_number(text) for text in cells(table, name)] for name in (STEP_DOWN, STEP_RIGHT, HEIGHT, WIDTH)]
        spacings = [
            resized_spacing((down, right), (height, width), size)
            for down, right, height, width in zip(*measures, strict=True)
        ]
    ages = ages_of(cells(table, AGE), path.name)
    sexes = map(sex_of, cells(table, SEX))
    return [Facts(*told) for told in zip(sexes, ages, spacings, strict=True)]


def _number(text: str) -> float:
    try:
        return number(text)
    except ValueError:
        return math.nan
