"""The command that started this process."""

from typing import Any


def merged_config() -> dict[str, Any] | None:
    """Merged config of this command."""
    return None


def refuse_unknown_keys() -> None:
    """Refuse a mistyped key."""
