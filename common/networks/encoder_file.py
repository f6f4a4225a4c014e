"""Encoder files: safetensors with timm's names, and the encoder's description and a checksum in the header."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..files import replacing
from ..records.data_used import DataUsed
from ..records.lineage import Lineage
from .checkpoint_reading import UnreadableCheckpointError, is_safetensors, read_checkpoint, read_header
from .description import EncoderDescription
from .encoders import Encoder

HEADER_KEY = "encoder"
CHECKSUM_KEY = "sha256"


def save_encoder(
    encoder: Encoder,
    path: str | Path,
    method: str | None = None,
    corpora: Sequence[str] | None = None,
    commit: str | None = None,
    trained_on: Sequence[DataUsed] | None = None,
    experts: Lineage | None = None,
) -> Path:
    """Write an encoder's weights and description; a file is complete or not there at all.

    Args:
        encoder: its body's weights are written, in 32 bit.
        path: file to write, by custom `encoder.safetensors`; its folder is made.
        method: how the weights were made, such as `cxr_ace`; None, here and below, keeps the encoder's own entry.
        corpora: names of the data sets they were made from.
        commit: version of the code that made them.
        trained_on: splits and numbers of images of these data sets.
        experts: data of the teachers that they learned from.

    Raises:
        OSError: the file cannot be written (no space, no permission); an earlier file of that name is unharmed.

    Example:
        >>> import tempfile
        >>> from common.networks import build_encoder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     encoder = build_encoder("resnet18", in_channels=1, image_size=64)
        ...     file = save_encoder(encoder, Path(folder) / "encoder.safetensors", method="mine", corpora=["phantom"])
        ...     describe_encoder(file).corpora
        ('phantom',)
    """
    path = Path(path)
    old = encoder.description
    description = replace(
        old,
        method=old.method if method is None else method,
        corpora=old.corpora if corpora is None else tuple(corpora),
        commit=old.commit if commit is None else commit,
        trained_on=old.trained_on if trained_on is None else tuple(trained_on),
        experts=old.experts if experts is None else experts,
    )
    weights = {
        key: value.detach().cpu().float().contiguous() if value.is_floating_point() else value.detach().cpu()
        for key, value in encoder.body.state_dict().items()
    }
    text = description.to_json()
    metadata = {HEADER_KEY: text, CHECKSUM_KEY: _checksum(text, weights), "format": "pt"}
    try:
        with replacing(path) as [partial]:
            partial.touch()
            mode = partial.stat().st_mode
            save_file(weights, str(partial), metadata=metadata)
            partial.chmod(mode)  # safetensors lets nobody else read what is meant to be handed on
    except Exception as error:  # safetensors wraps the system's errors in its own
        raise OSError(f"Could not write the encoder to {path}: {error}. Free space or choose another path.") from error
    return path


def describe_encoder(path: str | Path) -> EncoderDescription | None:
    """The description in a file's header; None for a weights file of another make.

    Raises:
        FileNotFoundError: no such file.
        UnreadableCheckpointError: damaged safetensors file, or a header that describes no encoder.
    """
    if Path(path).is_dir():
        raise FileNotFoundError(f"{path} is a folder; give the file inside it as encoder_file.")
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no encoder file {path}; check the path, which a recipe has as encoder_file.")
    if not is_safetensors(path):
        return None
    text = read_header(path).get(HEADER_KEY)
    if text is None:
        return None
    try:
        return EncoderDescription.from_json(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableCheckpointError(
            path, f"its header describes no encoder ({error})", "Give a file that save_encoder wrote."
        ) from error


def read_encoder(path: str | Path) -> dict[str, Any]:
    """What a weights file holds, as `read_checkpoint` gives it; that of an encoder file is as it was written.

    Raises:
        FileNotFoundError: no such file.
        UnreadableCheckpointError: damaged: also where a few bytes have changed, which the file's format cannot tell.
    """
    content = read_checkpoint(path)
    header = read_header(path) if is_safetensors(path) else {}
    written = header.get(CHECKSUM_KEY)  # files of earlier versions have none
    if HEADER_KEY in header and written is not None and written != _checksum(header[HEADER_KEY], content):
        raise UnreadableCheckpointError(
            path,
            "its checksum is not the one that it was written with, so its weights or its description have changed",
            "Copy or download it again.",
        )
    return content


def _checksum(description: str, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of a description, and of every tensor's name, kind, shape and bytes."""
    digest = hashlib.sha256(description.encode())
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
