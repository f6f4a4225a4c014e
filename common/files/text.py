"""Reads the text that comes with a data set, whatever program wrote it; every failure names the file."""

import gzip
import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from .errors import DatasetError
from .notices import add_notice

NO_TEXT = {
    b"PK\x03\x04": "a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "a database",
}
MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
CSV = "Save it as comma-separated text in UTF-8"


def read_text(path: Path) -> str:
    """Return the text of a file, unpacked and decoded by its content.

    UTF-8, UTF-16 and UTF-32 are known by their marks, and UTF-16 without one by its zero bytes. What is no UTF-8 is
    read as Windows-1252, of which Latin-1's letters are a part, with a notice.

    Raises:
        DatasetError: no such file, one that cannot be unpacked, an Excel workbook, or no text.
    """
    content = _content(path)
    what = next((what for start, what in NO_TEXT.items() if content.startswith(start)), None)
    if what:
        raise DatasetError(path, f"it is {what} and no text", CSV)
    encoding = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or _unmarked(content))
    except UnicodeDecodeError as error:
        if encoding or b"\0" in content:
            raise DatasetError(path, f"cannot be read as text ({error})", CSV) from None
        text = _windows(path, content)
    if "\0" in text:
        raise DatasetError(path, "cannot be read as text (it holds zero bytes)", CSV)
    return text


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a text file, stripped.

    Raises:
        DatasetError: as `read_text`.
    """
    return [line.strip() for line in re.split(r"[\r\n]+", read_text(path)) if line.strip()]


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        DatasetError: as `read_text`, or no JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(path, f"cannot be read as JSON ({error})", "Get the publisher's file again") from None


def read_json_list(path: Path) -> list[Any]:
    """Return the entries of a JSON file that is a list.

    Raises:
        DatasetError: as `read_json`, or another form.
    """
    content = read_json(path)
    if not isinstance(content, list):
        problem = f"it is JSON, and no list of entries ({type(content).__name__})"
        raise DatasetError(path, problem, "Get the publisher's file again")
    return content


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"PK\x03\x04"):
            return _member(path, content)
    except FileNotFoundError:
        raise DatasetError(path, "no such file", "Check the option that names it") from None
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise DatasetError(path, f"cannot be read ({error})", "Get the file again") from None
    return content


def _member(path: Path, content: bytes) -> bytes:
    """The one file of an archive: some sites pack a table and leave its name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        if "[Content_Types].xml" in names:
            raise DatasetError(path, "it is an Excel workbook and no text", CSV)
        if len(names) != 1:
            raise DatasetError(path, f"it is a ZIP archive of {len(names)} files", "Unpack the one that is wanted")
        return archive.read(names[0])


def _unmarked(content: bytes) -> str:
    """UTF-16 has a zero in every second byte of Latin letters."""
    start = content[:4096]
    for encoding, zeros in (("utf-16-be", start[::2]), ("utf-16-le", start[1::2])):
        if zeros and zeros.count(0) > len(zeros) / 2 and start.count(0) == zeros.count(0):
            return encoding
    return "utf-8"


def _windows(path: Path, content: bytes) -> str:
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise DatasetError(path, f"cannot be read as text ({error})", CSV) from None
    add_notice(f"{path.name} is no UTF-8 and was read as Windows-1252: save it in UTF-8 if its names look wrong")
    return text
