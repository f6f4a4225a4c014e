"""Run an expert once over un-augmented images and patches, and keep what it says."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..data.regions import StoreRegions
from ..data.store_build import locked
from ..views import crop_resize
from .embedding_table import SUFFIXES, EmbeddingTable, name_of, read_table, write_table
from .expert import Edges, Expert, NetworkExpert
from .expert_cached import CachedExpert

PART = 2048  # items: at most so much work is lost by a kill

logger = logging.getLogger(__name__)


def remember(
    expert: Expert,
    datasets: Sequence[StoreRegions],
    path: str | Path,
    device: str | torch.device = "cpu",
    batch_size: int = 64,
    names: dict[str, str] | None = None,
) -> CachedExpert:
    """Embeddings of every un-augmented image and patch, computed once; from then on the expert costs nothing.

    What is in the file already is not computed again, so a process killed at any moment goes on, and a second run of
    the same expert has nothing to do; several processes may call it at once: one computes, the others wait.

    Args:
        expert: returned as it is where its embeddings are cached already.
        datasets: whose items it embeds.
        path: `.npz` or `.parquet` file; or a folder, in which the file is named after the expert and the images' size.
        device: where the network runs.
        batch_size: items at a time.
        names: what files are called in the table, where not by their whole path.

    Raises:
        ValueError: another kind of file; a file of another expert or of other images.
        RuntimeError: the expert is trainable or in training mode.
    """
    if isinstance(expert, CachedExpert):
        return expert
    if not isinstance(expert, NetworkExpert):
        raise TypeError(f"{type(expert).__name__} is no network whose embeddings could be kept.")
    expert.check(())
    path = Path(path)
    if not path.suffix:
        path = path / f"{expert.fingerprint}-{expert.image_size}px-of-{datasets[0].size}px.npz"
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is no kind of table; its name must end in {' or '.join(SUFFIXES)}.")
    about = {"expert": expert.fingerprint, "image_size": expert.image_size, "store_size": datasets[0].size}
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        _fill(expert, datasets, path, about, torch.device(device), batch_size, names or {})
    return CachedExpert.read([path])


def _fill(
    expert: NetworkExpert,
    datasets: Sequence[StoreRegions],
    path: Path,
    about: dict[str, Any],
    device: torch.device,
    batch_size: int,
    names: dict[str, str],
) -> None:
    parts = path.with_name(f"{path.name}.parts")
    found = [_own(path, about)] if path.is_file() else []
    whole = CachedExpert(found, str(path)) if found else None
    for table in (_own(file, about) for file in sorted(parts.glob("*.npz"))):
        # a kill after the whole file was written leaves parts whose rows it holds already
        if whole is None or (str(table.files[0]), tuple(table.edges[0].tolist())) not in whole:
            found.append(table)
    done = CachedExpert(found, str(path)) if found else None
    todo = dict.fromkeys(_items(datasets, done, names))
    if todo:
        logger.info("Embedding %d images and patches, once: %s", len(todo), path)
        expert.to(device)
        rows = list(todo)
        for number, first in enumerate(range(0, len(rows), PART), start=len(found)):
            chosen = rows[first : first + PART]
            table = _embedded(expert, datasets, chosen, device, batch_size, names, about)
            write_table(table, parts / f"{number:06d}.npz")
            found.append(table)
    if todo or not path.is_file():
        files, edges, embeddings = (np.concatenate(column) for column in zip(*map(_columns, found), strict=True))
        write_table(EmbeddingTable(files, edges, embeddings, about), path)
    for part in parts.glob("*"):
        part.unlink()
    if parts.is_dir():
        parts.rmdir()


def _items(
    datasets: Sequence[StoreRegions], done: CachedExpert | None, names: dict[str, str]
) -> Iterator[tuple[int, int]]:
    """Data set and index of each item without an embedding; items that recur count once."""
    seen: set[tuple[str, Edges]] = set()
    for number, dataset in enumerate(datasets):
        for index, (file, edges) in enumerate(dataset.keys()):
            key = names.get(file, file), edges
            if key not in seen and (done is None or key not in done):
                seen.add(key)
                yield number, index


def _embedded(
    expert: NetworkExpert,
    datasets: Sequence[StoreRegions],
    items: Sequence[tuple[int, int]],
    device: torch.device,
    batch_size: int,
    names: dict[str, str],
    about: dict[str, Any],
) -> EmbeddingTable:
    rows, files, edges = [], [], []
    for first in tqdm(range(0, len(items), batch_size), desc="embeddings", leave=False):
        chosen = items[first : first + batch_size]
        images = torch.cat([datasets[number].images([index]) for number, index in chosen]).to(device)
        boxes = torch.stack([datasets[number].pixels(index) for number, index in chosen])
        embeddings = expert.embed(crop_resize(images, boxes, expert.image_size), {}).cpu()
        for (number, index), embedding in zip(chosen, embeddings, strict=True):
            file, region = datasets[number].record(index).image, datasets[number].regions[index].edges
            if not embedding.isfinite().all():
                raise ValueError(
                    f"the expert gives an embedding of {name_of(file, region)} that is not finite; look at that image, "
                    "and at the mean and std that the expert is given."
                )
            files.append(names.get(file, file))
            edges.append(region)
        rows.append(embeddings)
    return EmbeddingTable(np.array(files, dtype=object), np.array(edges), torch.cat(rows).numpy(), about)


def _columns(table: EmbeddingTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return table.files, table.edges, table.embeddings


def _own(path: Path, about: dict[str, Any]) -> EmbeddingTable:
    table = read_table(path)
    if dict(table.about) != about:
        raise ValueError(
            f"{path} holds embeddings of {json.dumps(dict(table.about))}, not of {json.dumps(about)}: another "
            "expert, or images of another size. Choose another file (a new run_name), or remove it."
        )
    return table
