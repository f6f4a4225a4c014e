"""PadChest's table, a line for each image."""

from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError
from ..support.person import ages_of, sex_of
from ..support.repeats import lines_once
from ..support.suffixes import stem
from ..support.tables import blank, cells, read_table
from ._padchest_labels import EXCLUDE, parse_labels

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
IMAGE, STUDY, PATIENT, LABELS, PROJECTION = "ImageID", "StudyID", "PatientID", "Labels", "Projection"
DATE, BIRTH, SEX = "StudyDate_DICOM", "PatientBirth", "PatientSex_DICOM"
VIEWS = {"L": "LATERAL", "AP_horizontal": "AP"}
BROKEN = frozenset(
    {
        "216840111366964012819207061112010307142602253_04-014-084",
        "216840111366964012989926673512011074122523403_00-163-058",
        "216840111366964012959786098432011033083840143_00-176-115",
        "216840111366964012558082906712009327122220177_00-102-064",
        "216840111366964012339356563862009072111404053_00-043-192",
        "216840111366964013076187734852011291090445391_00-196-188",
        "216840111366964012373310883942009117084022290_00-064-025",
        "216840111366964012283393834152009033102258826_00-059-087",
        "216840111366964012373310883942009170084120009_00-097-074",
        "216840111366964012819207061112010315104455352_04-024-184",
        "216840111366964012819207061112010306085429121_04-020-102",
        "216840111366964012989926673512011083134050913_00-168-009",
        "216840111366964012373310883942009152114636712_00-102-045",
        "216840111366964012819207061112010281134410801_00-129-131",
        "216840111366964012487858717522009280135853083_00-075-001",
        "216840111366964012989926673512011151082430686_00-157-045",
        "216840111366964013686042548532013208193054515_02-026-007",
        "216840111366964013590140476722013058110301622_02-056-111",
        "216840111366964013590140476722013043111952381_02-065-198",
        "216840111366964013829543166512013353113303615_02-092-190",
        "216840111366964013962490064942014134093945580_01-178-104",
    }
)
"""Files that are missing or broken in copies of the data set, as torchxrayvision lists them."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the table says of an image; `labels` as it has them, the rest as the fields of `Record`."""

    patient: str
    study: str | None
    labels: frozenset[str] | None
    view: str | None
    excluded: bool
    sex: str | None
    age: float | None


def read_lines(path: Path) -> dict[str, Line]:
    """Return what the table says, by the image's name without suffix.

    Raises:
        DatasetError: a column missing, labels that are no list, an image without a patient, or lines that contradict
            each other.
    """
    table = read_table(path, (IMAGE, PATIENT, LABELS, PROJECTION))
    told = [IMAGE, PATIENT, LABELS, PROJECTION, *(c for c in (STUDY, DATE, BIRTH, SEX) if c in table.columns)]
    table = lines_once(table[told], IMAGE, path)
    if (nobody := table[PATIENT].map(blank)).any():
        problem = f"line {table.index[nobody][0]}: {table[IMAGE][nobody].iloc[0]} has no patient"
        raise DatasetError(path, problem, "Get the publisher's file again")
    first = table[LABELS].drop_duplicates()  # of 160,861 texts far fewer differ
    labels = {text: _labels(text, line, path) for line, text in first.items()}
    years = zip(cells(table, DATE), cells(table, BIRTH), strict=True)
    ages = ages_of([_years(date, birth) for date, birth in years], path.name)
    columns = (table[IMAGE], table[PATIENT], cells(table, STUDY), table[LABELS], table[PROJECTION], cells(table, SEX))
    return {
        stem(image): Line(
            patient,
            study or None,
            labels[text],
            None if blank(view) else VIEWS.get(view, view),
            view == "EXCLUDE" or EXCLUDE in (labels[text] or ()),
            sex_of(sex),
            age,
        )
        for image, patient, study, text, view, sex, age in zip(*columns, ages, strict=True)
    }


def _labels(text: str, line: object, path: Path) -> frozenset[str] | None:
    try:
        return parse_labels(text)
    except ValueError as error:
        raise DatasetError(path, f"line {line}: {error}", "Get the publisher's file again") from None


def _years(date: str, birth: str) -> str:
    """Years between a study, 20150622, and a birth, 1993 or 1993.0, as a text; blank where one is not known."""
    years = date[:4], birth.partition(".")[0]
    return str(int(years[0]) - int(years[1])) if all(year.isdecimal() and len(year) == 4 for year in years) else ""
