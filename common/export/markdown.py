"""Texts from files inside a document."""

import re
from typing import Any


def plain_text(value: Any) -> str:
    """A value on one line of Markdown, in which it can begin no cell, tag, link or block of code."""
    return re.sub(r"([\\`|<>\[\]])", r"\\\1", " ".join(str(value).split()))
