"""Encoder files: safetensors with timm's names, and the encoder's description in the header."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors.torch import save_file

from .checkpoint_reading import is_safetensors, read_header
from .description import EncoderDescription
from .encoders import Encoder

HEADER_KEY = "encoder"


def save_encoder(
    encoder: Encoder,
    path: str | Path,
    method: str | None = None,
    corpora: Sequence[str] | None = None,
    commit: str | None = None,
) -> Path:
    """Write an encoder's weights and description; a file is complete or not there at all.

    Args:
        encoder: its body's weights are written, in 32 bit.
        path: file to write, by custom `encoder.safetensors`; its folder is made.
        method: how the weights were made, such as `cxr_ace`; None, here and below, keeps the encoder's own entry.
        corpora: names of the data sets they were made from.
        commit: version of the code that made them.

    Raises:
        OSError: the file cannot be written (no space, no permission); an earlier file of that name is unharmed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    old = encoder.description
    description = replace(
        old,
        method=old.method if method is None else method,
        corpora=old.corpora if corpora is None else tuple(corpora),
        commit=old.commit if commit is None else commit,
    )
    weights = {
        key: value.detach().cpu().float().contiguous() if value.is_floating_point() else value.detach().cpu()
        for key, value in encoder.body.state_dict().items()
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        save_file(weights, str(partial), metadata={HEADER_KEY: description.to_json(), "format": "pt"})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except Exception as error:  # safetensors wraps the system's errors in its own
        raise OSError(f"Could not write the encoder to {path}: {error}. Free space or choose another path.") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def describe_encoder(path: str | Path) -> EncoderDescription | None:
    """The description in a file's header; None for a weights file of another make.

    Raises:
        FileNotFoundError: no such file.
        UnreadableCheckpointError: damaged safetensors file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no encoder file {path}; check the path given as file.")
    if not is_safetensors(path):
        return None
    text = read_header(path).get(HEADER_KEY)
    return None if text is None else EncoderDescription.from_json(text)
