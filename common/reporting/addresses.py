"""Addresses of databases that are files."""

import re
from pathlib import Path
from urllib.parse import quote, unquote

SCHEME = "sqlite:///"


def sqlite_address(file: Path) -> str:
    """Address of an SQLite file; what would end its path there, or stand for another letter, is written as `%3F`."""
    return SCHEME + re.sub(r"[%?#]", lambda found: quote(found[0]), str(file))


def sqlite_file(address: str) -> Path | None:
    """The file of an address; None for any other server."""
    return Path(unquote(address.removeprefix(SCHEME))) if address.startswith(SCHEME) else None
