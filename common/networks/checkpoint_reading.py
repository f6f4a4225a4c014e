"""Read weights from files that others made, without running anything in them."""

import argparse
import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from .file_kinds import AGAIN, misfit

# The authors' files store their command line as a Namespace, a plain holder of attributes (methods section 9).
_ALLOWED: list[Any] = [argparse.Namespace]


class UnreadableCheckpointError(ValueError):
    """A weights file that cannot, or must not, be read; says why and what to do."""

    def __init__(self, path: str | Path, reason: str, remedy: str):
        super().__init__(f"Cannot read weights from {path}: {reason}. {remedy}")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What a safetensors or PyTorch file holds, possibly nested.

    Raises:
        FileNotFoundError: no such file.
        UnreadableCheckpointError: damaged, no weights, or a pickle that asks for more than tensors and plain values.
    """
    path = Path(path)
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder; give the weights file inside it, as encoder_file of a recipe.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file {path}; check the path, such as encoder_file of a recipe.")
    found = misfit(path)
    if found is not None:
        raise UnreadableCheckpointError(path, *found)
    if is_safetensors(path):
        return _read_safetensors(path)
    return _read_pickle(path)


def is_safetensors(path: str | Path) -> bool:
    """Whether a file begins as safetensors do (8 bytes of header length, then JSON), whatever its name."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{"


def read_header(path: str | Path) -> dict[str, str]:
    """Text metadata of a safetensors file, without reading its tensors.

    Raises:
        UnreadableCheckpointError: damaged file.
    """
    found = misfit(Path(path))
    if found is not None:
        raise UnreadableCheckpointError(path, *found)
    try:
        with safe_open(str(path), framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UnreadableCheckpointError(path, f"damaged safetensors file ({error})", AGAIN) from error


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except (SafetensorError, json.JSONDecodeError) as error:
        raise UnreadableCheckpointError(path, f"damaged safetensors file ({error})", AGAIN) from error


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        with safe_globals(_ALLOWED):
            # Mapped, so that the optimiser and the other heads of a published file are never read from disk.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise UnreadableCheckpointError(path, *_why_refused(path, error)) from error
    except (RuntimeError, EOFError, KeyError, ValueError, OSError, SafetensorError) as error:
        raise UnreadableCheckpointError(path, f"damaged, or no weights file ({error})", AGAIN) from error
    if not isinstance(content, Mapping):
        raise UnreadableCheckpointError(
            path, f"it holds a {type(content).__name__}, not named weights", "Save the model's state_dict() instead."
        )
    return dict(content)


def _why_refused(path: Path, error: Exception) -> tuple[str, str]:
    """Reason and remedy for a pickle that weights-only loading refused."""
    try:
        asked = set(get_unsafe_globals_in_checkpoint(path))
    except Exception:  # the scan reads zip archives only; the loader's message names what it met in an older file
        asked = set(re.findall(r"GLOBAL (\S+)", str(error)))
    names = ", ".join(sorted(asked - {"argparse.Namespace"}))
    if not names:
        return "damaged, or no weights file", AGAIN
    return (
        f"its pickle asks for more than weights ({names}), which could run any code",
        "If you trust its source, load it there and save only the state_dict, best as safetensors.",
    )
