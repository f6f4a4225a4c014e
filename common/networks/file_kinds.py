"""What a file is that should hold weights and does not, told by its first bytes; nothing is unpacked."""

import json
import struct
import zipfile
from pathlib import Path

AGAIN = "Copy or download it again, or give another file."

_PACKED = (
    (b"\x1f\x8b", "gzip", "gunzip"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"\xfd7zXZ\x00", "xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstandard", "unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "7z x"),
    (b"Rar!\x1a\x07", "rar", "unrar x"),
)


def misfit(path: Path) -> tuple[str, str] | None:
    """Reason and remedy for a file that cannot hold weights as it lies there; None for one that may.

    Args:
        path: an existing file that a weights file was asked for.
    """
    found = stand_in(path)
    if found is not None:
        return found
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
    if start.startswith(b"PK\x03\x04"):
        return _zip_misfit(path)
    if len(start) == 9 and start[8:] == b"{":
        return _safetensors_misfit(path, size, start)
    return None


def stand_in(path: Path) -> tuple[str, str] | None:
    """Reason and remedy for what lies in the place of a model or table of any kind: nothing, a pointer, a web page, ...

    Args:
        path: an existing file.
    """
    if path.stat().st_size == 0:
        return "the file is empty", AGAIN
    with path.open("rb") as file:
        start = file.read(1024)
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return (
            "it is a Git LFS pointer, which stands for the weights and does not hold them",
            "Run `git lfs pull` in its repository (after `git lfs install`), or download the file itself.",
        )
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return (
            "it is a web page, which a download saves in place of a file that needs a login, a confirmation or another "
            "address",
            "Open it in a browser to see what it says, and download the weights themselves.",
        )
    if text.startswith((b"{", b"[")) and start[8:9] != b"{":
        return "it is a JSON text, perhaps the answer of a server or an index of other files", AGAIN
    for magic, name, command in _PACKED:
        if start.startswith(magic):
            return f"it is packed with {name}", f"Unpack it first: {command} {path.name}"
    if start[257:262] == b"ustar":
        return "it is a tar archive", f"Unpack it first: tar xf {path.name}"
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "it is an HDF5 file, as Keras writes", "Give weights of PyTorch, or convert them there."
    return None


def _zip_misfit(path: Path) -> tuple[str, str] | None:
    if not zipfile.is_zipfile(path):
        return (
            f"it is damaged: cut off after {path.stat().st_size} bytes, since the end of its archive is missing",
            AGAIN,
        )
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        return f"it is damaged ({error})", AGAIN
    inside = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in inside:
        return (
            "it is a TorchScript archive, a program with its weights",
            "Load it with torch.jit.load where you trust it, and save its state_dict().",
        )
    if "data.pkl" not in inside:
        held = ", ".join(sorted(names)[:3]) or "nothing"
        return (
            f"it is a zip archive that torch.save did not write (inside: {held})",
            "Unpack it, and give the weights file inside.",
        )
    return None


def _safetensors_misfit(path: Path, size: int, start: bytes) -> tuple[str, str] | None:
    """Whether a safetensors file has all the bytes that its header promises."""
    (length,) = struct.unpack("<Q", start[:8])
    if length > size - 8:
        return (
            f"it is damaged: cut off within its safetensors header, of which {size - 8} of {length} bytes are there",
            AGAIN,
        )
    with path.open("rb") as file:
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            end = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            return f"damaged safetensors header ({error})", AGAIN
    if end > size:
        return f"it is damaged: cut off after {size} of {end} bytes", AGAIN
    return None
