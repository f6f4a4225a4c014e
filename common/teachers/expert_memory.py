"""Run an expert once over un-augmented images and patches, and keep what it says."""

import json
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..files import locked
from ..files.bar import Bar
from ..images.regions import StoreRegions
from ..views import crop_resize
from .embedding_table import SUFFIXES, EmbeddingTable, name_of, read_table, row_key, write_table
from .expert import Edges, Expert, NetworkExpert
from .expert_cached import CachedExpert

PART = 2048  # items: at most so much work is lost by a kill

logger = logging.getLogger(__name__)


def cached_expert(
    expert: Expert,
    datasets: Sequence[StoreRegions],
    path: str | Path,
    device: str | torch.device = "cpu",
    batch_size: int = 64,
    root: Path | None = None,
) -> CachedExpert:
    """Embeddings of every un-augmented image and patch, computed once; from then on the expert costs nothing.

    What is in the file already, by its very name and edges, is not computed again, so a process killed at any moment
    goes on, and a second run of the same expert has nothing to do; several processes may call it at once: one computes,
    the others wait.

    Args:
        expert: returned as it is where its embeddings are cached already.
        datasets: whose items it embeds.
        path: `.npz` or `.parquet` file; or a folder, in which the file is named after the expert and the images' size.
        device: where the network runs.
        batch_size: items at a time.
        root: folder from which files are named in the table; None names them by their whole paths. A table has one.

    Raises:
        ValueError: another kind of file; a file of another expert, of images of another size, or of another root.
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
    names: dict[str, str] = {}
    if root is not None:
        # Two data sets may well have the same names below their roots.
        about["root"] = str(root)
        files = [record.image for dataset in datasets for record in dataset.corpus.records]
        names = {file: os.path.relpath(file, root) for file in files}
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        _fill(expert, datasets, path, about, torch.device(device), batch_size, names)
    cached = CachedExpert.read([path])
    cached.lineage = expert.lineage
    return cached


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
    found: list[EmbeddingTable] = []
    done: set[tuple[str, Edges]] = set()
    written = [path] if path.is_file() else []
    for table in (_own(file, about) for file in [*written, *sorted(parts.glob("*.npz"))]):
        if not done.issuperset(table.rows()):  # a kill after the whole file was written leaves parts that it holds
            found.append(table)
            done.update(table.rows())
    todo = list(_items(datasets, done, names))
    if todo:
        logger.info("Embedding %d images and patches, once: %s", len(todo), path)
        expert.to(device)
        for number, first in enumerate(range(0, len(todo), PART), start=len(found)):
            chosen = todo[first : first + PART]
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
    datasets: Sequence[StoreRegions], done: Collection[tuple[str, Edges]], names: dict[str, str]
) -> Iterator[tuple[int, int]]:
    """Data set and index of each item without an embedding; items that recur count once."""
    seen = set(done)
    for number, dataset in enumerate(datasets):
        for index, (file, edges) in enumerate(dataset.keys()):
            key = row_key(names.get(file, file), edges)
            if key not in seen:
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
    for first in Bar(range(0, len(items), batch_size), desc="embeddings", leave=False):
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
            "expert, images of another size, or another data set's folder. Choose another file (a new run_name), or "
            "remove it."
        )
    return table
