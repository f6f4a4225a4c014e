"""Crops of prepared volumes, with their labels and organs."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from ..records import IGNORE
from ..sampling import SampleKey, generator_for
from .cache import VolumeCache
from .resample import cut, scaled

logger = logging.getLogger(__name__)


class VolumeCrops(Dataset):
    """Crops read from the mapped files of a cache, image and organs together.

    Where a crop lies depends on (seed, epoch, index) alone. A volume that is smaller is filled with air.

    Args:
        cache: whole or a subset.
        crop: voxels of a crop, (D, H, W).
        window: Hounsfield units (low, high) that become -1 and 1.
        seed: the run's seed.
        frame: voxels (D, H, W) about the volume's centre in which crops lie, each at least the crop's; None takes the
            whole volume. [P] full size 120 x 240 x 240 or 192 x 256 x 256, centre padded or cropped.
        random: draw the place of each crop; False takes the centre.

    Raises:
        ValueError: sizes or a window that cannot be.
    """

    def __init__(
        self,
        cache: VolumeCache,
        crop: Sequence[int],
        window: Sequence[float],
        seed: int,
        frame: Sequence[int] | None = None,
        random: bool = True,
    ):
        self.cache, self.seed, self.random = cache, seed, random
        self.crop, self.frame = tuple(crop), None if frame is None else tuple(frame)
        self.low, self.high = (float(value) for value in window)
        if len(self.crop) != 3 or min(self.crop) < 1 or not self.high > self.low:
            raise ValueError(f"crop is {self.crop} and window {tuple(window)}; give (D, H, W) and (low, high)")
        if self.frame is not None and any(whole < part for whole, part in zip(self.frame, self.crop, strict=True)):
            raise ValueError(f"frame is {self.frame} and crop {self.crop}; no side of the frame may be shorter")
        self._report_small(self.frame or self.crop)

    def _report_small(self, least: tuple[int, ...]) -> None:
        small = [
            index
            for index in range(len(self.cache))
            if any(have < want for have, want in zip(self.cache.shape(index), least, strict=True))
        ]
        if not small:
            return
        first = self.cache.records[small[0]].image
        shape, wanted = (" x ".join(map(str, sizes)) for sizes in (self.cache.shape(small[0]), least))
        message = "%d of %d volumes are smaller than %s voxels and are filled with air; the first, %s, has %s"
        logger.info(message, len(small), len(self.cache), wanted, Path(first).name, shape)

    def __len__(self) -> int:
        return len(self.cache)

    def __getitem__(self, key: SampleKey | int) -> dict[str, Any]:
        """Return one crop; a plain index counts as epoch 0.

        image (float32, (1, D, H, W), in [-1, 1], padding -1); label (float32, (K,), nan unknown); organs (uint8,
        (D, H, W), padding 0; all 255 for a volume without organ mask); source (path); index.
        """
        sample = key if isinstance(key, SampleKey) else SampleKey(0, int(key))
        record, start = self.cache.records[sample.index], self._start(sample)
        # One unit below the window, so that rounding cannot lift the padding above -1.
        image = scaled(cut(self.cache.hounsfield(sample.index), start, self.crop, self.low - 1), self.low, self.high)
        mapped = self.cache.organs(sample.index)
        if mapped is None:
            organs = torch.full(self.crop, IGNORE, dtype=torch.uint8)
        else:
            organs = torch.from_numpy(cut(mapped, start, self.crop, 0))
        unknown = [float("nan")] * len(self.cache.corpus.findings)
        return {
            "image": torch.from_numpy(image)[None],
            "label": torch.tensor(unknown if record.labels is None else record.labels, dtype=torch.float32),
            "organs": organs,
            "source": record.image,
            "index": sample.index,
        }

    def _start(self, sample: SampleKey) -> list[int]:
        """Return the crop's first voxel in the volume; negative where it begins in the padding."""
        shape = self.cache.shape(sample.index)
        frame = self.frame or [max(have, want) for have, want in zip(shape, self.crop, strict=True)]
        room = [whole - part for whole, part in zip(frame, self.crop, strict=True)]
        if self.random:
            generator = generator_for(self.seed, sample.epoch, sample.index)
            place = [int(torch.randint(free + 1, (), generator=generator)) for free in room]
        else:
            place = [free // 2 for free in room]
        return [(have - whole) // 2 + first for have, whole, first in zip(shape, frame, place, strict=True)]
