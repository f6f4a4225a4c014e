"""Images and patches of several data sets as items of one, cut from their stores on the fly."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..files.errors import DatasetError
from ..records import Corpus, Record
from ..sampling import SampleKey, SamplesParams, generator_for
from .patches import WHOLE, Edges, PatchRule
from .store.store import Store

logger = logging.getLogger(__name__)


class Region(NamedTuple):
    """One item: a record of a source and the part of its image.

    Args:
        source: index of the source.
        record: index of its record.
        edges: fractions of height and width.
    """

    source: int
    record: int
    edges: Edges


class RegionSource:
    """One data set of a mixture: its store, what is cut from it, and what it weighs.

    Args:
        store: whole or a subset.
        images: `once` takes each whole image as one item, `per_patch` once for every patch of it, as the released lists
            do (methods D9), `none` takes patches alone.
        patches: lists the patches; None takes whole images alone.
        weight: factor on the loss of its items. An epoch passes every item once whatever it weighs, but for
            those of a last batch that is not full, which training leaves out.

    Raises:
        ValueError: an unknown value of `images`, or a weight that is not positive.
        DatasetError: nothing is left to train on.
    """

    def __init__(
        self,
        store: Store,
        images: Literal["once", "per_patch", "none"] = "once",
        patches: PatchRule | None = None,
        weight: float = 1.0,
    ):
        if images not in ("once", "per_patch", "none"):
            raise ValueError(f"images is {images!r}; it must be 'once', 'per_patch' or 'none'.")
        if not weight > 0:
            raise ValueError(f"the weight of {store.corpus.name} is {weight}; give a number above 0, or leave it out.")
        self.store, self.images, self.weight = store, images, weight
        sizes = [(int(height), int(width)) for height, width in store.sizes] if patches else []
        self.items: list[tuple[int, Edges]] = []
        for index, record in enumerate(store.records):
            cut = patches.patches(record, sizes[index]) if patches else []
            if images != "none":  # a patch as large as the image is no second item
                cut = [edges for edges in cut if edges != WHOLE]
            copies = {"once": 1, "none": 0, "per_patch": max(1, len(cut))}[images]
            self.items += [(index, WHOLE)] * copies + [(index, edges) for edges in cut]
        self.used = [store.records[index] for index in dict.fromkeys(index for index, _ in self.items)]
        if patches and patches.boxes and not any(map(patches.boxes_of, store.records)):
            logger.warning(
                "%s: patch_rule#boxes is true, but none of the %d images has a box%s: no patch is cut around one. Name "
                "the file of boxes (options boxes, polygons of the reader `folder`), or set patch_rule#boxes to false.",
                store.corpus.name,
                len(store),
                "" if patches.findings is None else " of " + ", ".join(patches.findings),
            )
        if not self.items:
            problem = "no patch was found and images is 'none'"
            raise DatasetError(store.corpus.name, problem, "Set images to 'once', or patch_rule#anywhere to 1 or more")


class StoreRegions(Dataset):
    """Items of several sources with the parameters of their views, ready for PyTorch's default collation.

    Like `StoreViews`, it draws parameters alone, from (seed, epoch, index); the view cuts the item out of the stored
    image where the images are, in the same resampling as its augmentation. An image and its patches follow each other.

    Args:
        sources: one or more; their stores have one size and one number of channels.
        view: draws the parameters of an item, given its box (4,) in pixels of the stored image.
        seed: the run's seed.

    Raises:
        ValueError: no source, or stores that differ in size or channels.
    """

    def __init__(self, sources: Sequence[RegionSource], view: SamplesParams[Tensor], seed: int):
        if not sources:
            raise ValueError("there is no data set: `datasets` is empty.")
        shapes = [(source.store.size, source.store.channels) for source in sources]
        if len(set(shapes)) > 1:
            raise ValueError(f"stores of one mixture must have one size and one number of channels, not {set(shapes)}.")
        self.sources, self.view, self.seed = list(sources), view, seed
        self.size, self.channels = shapes[0]
        self.regions = [
            Region(number, record, edges) for number, source in enumerate(sources) for record, edges in source.items
        ]

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def corpus(self) -> Corpus:
        """All sources' records as one corpus, for a run's provenance."""
        stores = [source.store for source in self.sources]
        if len(stores) == 1:
            return replace(stores[0].corpus, records=stores[0].records)
        name = "+".join(store.corpus.name for store in stores)
        return Corpus(name, tuple(record for store in stores for record in store.records))

    def record(self, index: int) -> Record:
        """The record that an item is cut from."""
        region = self.regions[index]
        return self.sources[region.source].store.records[region.record]

    def keys(self) -> Iterator[tuple[str, Edges]]:
        """File and edges of every item, in order: what embeddings computed beforehand are looked up by."""
        return ((self.record(index).image, region.edges) for index, region in enumerate(self.regions))

    def pixels(self, index: int) -> Tensor:
        """Box (4,) of an item in pixels of the stored image."""
        return torch.tensor(self.regions[index].edges, dtype=torch.float64).mul(self.size).float()

    def __getitem__(self, key: SampleKey | int) -> dict[str, Any]:
        """Return image (uint8, (C, S, S)), source, index, patch (its edges), weight and view."""
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[SampleKey | int]) -> list[dict[str, Any]]:
        """Return the items of a batch; their images are read in one go."""
        wanted = [key if isinstance(key, SampleKey) else SampleKey(0, int(key)) for key in keys]
        images = self.images([key.index for key in wanted])
        return [self._item(key, image) for key, image in zip(wanted, images.unbind(0), strict=True)]

    def images(self, indices: Sequence[int]) -> Tensor:
        """Whole stored images (N, C, S, S), uint8, that items are cut from."""
        images = torch.empty((len(indices), self.channels, self.size, self.size), dtype=torch.uint8)
        wanted = [self.regions[index] for index in indices]
        for number, source in enumerate(self.sources):
            rows = [row for row, region in enumerate(wanted) if region.source == number]
            if rows:
                images[rows] = source.store.batch([wanted[row].record for row in rows])
        return images

    def _item(self, key: SampleKey, image: Tensor) -> dict[str, Any]:
        region = self.regions[key.index]
        source = self.sources[region.source]
        return {
            "image": image,
            "source": source.store.records[region.record].image,
            "index": key.index,
            "patch": torch.tensor(region.edges, dtype=torch.float64),
            "weight": torch.tensor(source.weight, dtype=torch.float32),
            "view": self.view.sample(generator_for(self.seed, key.epoch, key.index), self.pixels(key.index)),
        }
