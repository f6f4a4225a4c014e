"""Which kind of expert a file holds, and how it is read."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..inert import literal
from ..networks import Encoder, build_encoder, load_encoder
from ..networks.checkpoint_reading import UnreadableCheckpointError, is_safetensors, read_checkpoint
from ..networks.file_kinds import misfit, stand_in
from ..networks.weight_matching import sound_weights
from ..run_folder import ENCODER, MODEL, NETWORK
from .embedding_table import SUFFIXES
from .expert import Expert, NetworkExpert
from .expert_cached import CachedExpert
from .expert_graphs import onnx_expert, torchscript_expert
from .expert_lineage import told_by_run

Values = float | Sequence[float]
KINDS = (
    "an encoder file of this collection (.safetensors), the run folder of a pre-training or of image_classification, "
    "weights of an architecture that is named, TorchScript (.ts, .pt), ONNX (.onnx), or embeddings (.npz, .parquet)"
)
OF_CLASSIFIER = "encoder."


@torch.random.fork_rng(devices=[])  # what is trained starts as it does without an expert
def load_expert(
    path: str | Path | Sequence[str] | None,
    key: str = "path",
    image_size: int | None = None,
    channels: int | None = None,
    mean: Values | None = None,
    std: Values | None = None,
    architecture: str | None = None,
    options: Mapping[str, Any] | None = None,
    part: str = "teacher",
    key_map: Mapping[str, str] | None = None,
) -> Expert:
    """Read an expert; what it is follows from the file itself.

    The global generator of random numbers is left as it was.

    Encoders of this collection and fine-tuned classifiers know their size, channels and normalisation. For TorchScript,
    ONNX and bare weights these are the arguments.

    Args:
        path: an encoder file; a run folder with `encoder.safetensors`, or with `model.pt` and `network.json`, of which
            the layer before the classifier is taken; weights; TorchScript; ONNX; one or more files of embeddings.
        key: config key of `path`, for messages.
        image_size: side in pixels of the images that the network takes; None takes the file's.
        channels: likewise.
        mean: per channel, of images in [0, 1]; None takes the file's, or does not normalise for a graph.
        std: likewise.
        architecture: timm name, for weights that do not describe themselves.
        options: of timm, likewise.
        part: `teacher` or `student`, for published files that hold both.
        key_map: regular expressions and replacements that turn the names of foreign weights into timm's, as in
            `load_encoder`.

    Raises:
        ValueError: no path, a kind of file that is not known, an option that is missing, or one that this kind of file
            leaves nothing to say of; a file that is damaged, cut off or only stands in for another (a Git LFS pointer).
        FileNotFoundError: nothing there.

    Example:
        >>> import tempfile
        >>> from common.networks import build_encoder, save_encoder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     encoder = build_encoder("resnet18", in_channels=1, image_size=64)
        ...     expert = load_expert(save_encoder(encoder, Path(folder) / "encoder.safetensors"))
        >>> expert.embed_dim
        512
    """
    if path is None:
        raise ValueError(f"{key} is null: name the expert. It can be {KINDS}.")
    of_weights = {"architecture": architecture, "options": options, "key_map": key_map}
    of_input = {"channels": channels, "mean": mean, "std": std}
    if not isinstance(path, str | Path):
        return CachedExpert.read([_there(Path(one), key) for one in path])
    file = _there(Path(path), key)
    if file.is_dir():
        if (file / NETWORK).is_file() and (file / MODEL).is_file():
            _refuse(file, of_weights | of_input)
            return _of_run(file, image_size)
        file = _there(file / ENCODER, key)
    problem = stand_in(file)
    if problem is not None:
        raise UnreadableCheckpointError(file, *problem)
    if file.suffix in SUFFIXES:
        return CachedExpert.read([file])
    if file.suffix == ".onnx":
        _refuse(file, of_weights)
        return onnx_expert(file, _hash(file), image_size, channels, mean, std)
    if _is_torchscript(file):
        _refuse(file, of_weights)
        return torchscript_expert(file, _hash(file), image_size, channels, mean, std)
    problem = misfit(file)
    if problem is not None:
        raise UnreadableCheckpointError(file, *problem)
    if not is_safetensors(file) and not _is_weights(file):
        raise ValueError(f"{key} is {file}, of no kind that is known. An expert can be {KINDS}.")
    if not is_safetensors(file) and key_map is None and _of_classifier(content := read_checkpoint(file)):
        if (file.parent / NETWORK).is_file():
            _refuse(file, of_weights | of_input)
            return _of_run(file.parent, image_size, file)
        encoder = build_encoder(architecture, channels, image_size, mean, std, options)
        return encoder_expert(_filled(encoder, content, file), image_size)
    encoder, _ = load_encoder(file, architecture, channels, image_size, mean, std, options, part=part, key_map=key_map)
    return encoder_expert(encoder, image_size)


def encoder_expert(encoder: Encoder, image_size: int | None = None) -> NetworkExpert:
    """An encoder as an expert; it normalises by itself.

    Args:
        encoder: frozen here.
        image_size: side in pixels of the images it gets; None takes its own.
    """
    described = encoder.description
    size, channels = image_size or described.image_size, described.in_channels
    expert = NetworkExpert(encoder, size, channels, weights=_contents(encoder), forward=encoder.embed)
    expert.lineage = described.lineage
    return expert


def seeded_expert(
    architecture: str, seed: int, options: Mapping[str, Any] | None = None, image_size: int = 224, channels: int = 1
) -> NetworkExpert:
    """A frozen network of random weights, for trying a recipe where no expert is at hand (methods D17).

    Args:
        architecture: timm name.
        seed: of its weights.
        options: of timm.
        image_size: side in pixels.
        channels: 1 or 3.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = build_encoder(architecture, channels, image_size, options=options)
    return encoder_expert(encoder)


def _of_run(folder: Path, image_size: int | None, weights: Path | None = None) -> NetworkExpert:
    """The encoder of a classification run: `network.json` says how it is built, `data.json` what it has seen."""
    try:
        said = literal(json.loads((folder / NETWORK).read_text()), str(folder / NETWORK))
        asked = [said[key] for key in ("architecture", "channels", "image_size", "mean", "std", "encoder_options")]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / 'network.json'} does not say how the network is built ({error!r}): it is damaged or another "
            "program's. Copy it from the run again."
        ) from error
    file = weights or folder / MODEL
    expert = encoder_expert(_filled(build_encoder(*asked), read_checkpoint(file), file), image_size)
    expert.lineage = told_by_run(folder)
    return expert


def _filled(encoder: Encoder, content: Mapping[str, Tensor], file: Path) -> Encoder:
    names = [OF_CLASSIFIER + name for name in encoder.state_dict()]
    found = sound_weights(content, names, file)
    try:
        encoder.load_state_dict(
            {name.removeprefix(OF_CLASSIFIER): value for name, value in found.items() if name.startswith(OF_CLASSIFIER)}
        )
    except RuntimeError as error:
        raise ValueError(
            f"{file} holds another encoder than its run's network.json or the options say: {error}"
        ) from error
    return encoder


def _contents(encoder: Encoder) -> str:
    """Hash of what an encoder computes with: one file gives several, by part, key map, options and normalisation."""
    described = encoder.description.without_origin()  # where it comes from changes nothing
    content = hashlib.sha256(described.to_json().encode())
    for name, value in encoder.state_dict().items():
        content.update(name.encode())
        content.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return content.hexdigest()


def _of_classifier(content: Mapping[str, Any]) -> bool:
    return any(name.startswith(f"{OF_CLASSIFIER}body.") for name in content)


def _is_torchscript(file: Path) -> bool:
    """TorchScript is a zip archive with code in it; `torch.save` writes one without."""
    return _zip_has(file, "constants.pkl")


def _is_weights(file: Path) -> bool:
    with file.open("rb") as content:
        return _zip_has(file, "data.pkl") or content.read(1) == b"\x80"  # torch.save, new and old


def _zip_has(file: Path, name: str) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(entry.rpartition("/")[2] == name for entry in archive.namelist())


def _refuse(file: Path, given: Mapping[str, Any]) -> None:
    """An option that changes nothing would leave its giver with another expert than the one meant."""
    idle = [name for name, value in given.items() if value is not None]
    if idle:
        raise ValueError(f"{file} says by itself what {', '.join(idle)} would say; leave out what is given of them.")


def _there(path: Path, key: str) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"{key} names {path}, which is not there. An expert can be {KINDS}.")
    return path


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
