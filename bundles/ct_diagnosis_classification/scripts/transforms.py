"""Inference of files that are in no cache: from a path to a crop, and from logits to probabilities."""

from collections.abc import Hashable, Mapping, Sequence
from os import PathLike
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey
from torch import Tensor

from common.files import UnreadableImage
from common.losses import InjuryOutputs
from common.volumes import Preparation
from common.volumes.resample import cut, scaled
from common.volumes.task import Task


class PrepareVolumed(MapTransform):
    """Read, resample, crop about the centre and scale a volume, as training and evaluation do.

    Args:
        keys: items that hold the path of a file or of the folder of a series.
        preparation: what is done to each volume.
        crop: voxels (D, H, W) about the centre; what the volume lacks is air.
        window: Hounsfield units (low, high) that become -1 and 1.
    """

    def __init__(
        self, keys: KeysCollection, preparation: Preparation, crop: Sequence[int], window: Sequence[float]
    ) -> None:
        super().__init__(keys)
        self.preparation, self.crop = preparation, tuple(crop)
        self.low, self.high = (float(value) for value in window)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace paths by float32 tensors (1, D, H, W) in [-1, 1], which bear the path as MONAI's loaders do.

        Raises:
            TypeError: an item is no path.
            UnreadableImage: a file that cannot be used, such as a cut one or a label map, or whose header makes it too
                large for this machine.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            path = item[key]
            if not isinstance(path, str | PathLike):
                raise TypeError(
                    f"{key} is a {type(path).__name__}; give the path of a volume, since what is done to it follows "
                    "from its file's spacing and orientation."
                )
            try:
                values = self.preparation.prepare(Task(str(path))).hounsfield
            except MemoryError as error:  # by a spacing in other units; the files after it fit
                reason = f"resampled to {self.preparation.spacing} mm it does not fit in memory ({error})"
                raise UnreadableImage(path, reason, "Check the spacing in its header, or take more memory") from error
            start = [(have - want) // 2 for have, want in zip(values.shape, self.crop, strict=True)]
            # One unit below the window, so that rounding cannot lift the padding above -1.
            crop = torch.from_numpy(scaled(cut(values, start, self.crop, self.low - 1), self.low, self.high))
            item[key] = _with_path(crop[None], path)
        return item


def _with_path(values: Tensor, path: str | PathLike[str]) -> MetaTensor:
    return MetaTensor(values, meta={ImageMetaKey.FILENAME_OR_OBJ: str(path)})


class Probabilitiesd(MapTransform):
    """Turn the logits of one volume into probabilities.

    Args:
        keys: items of logits (K,).
        injuries: names of the `binary` injuries and the `graded` organs of the trauma task, whose grades exclude each
            other; None for findings that occur together or alone. With them comes the probability that there is
            any injury.
    """

    def __init__(self, keys: KeysCollection, injuries: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(keys)
        self.outputs = None if injuries is None else InjuryOutputs(tuple(injuries["binary"]), tuple(injuries["graded"]))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace logits by probabilities (K,), or (K + 1,) with any injury last."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key] = self._probabilities(item[key])
        return item

    def _probabilities(self, logits_K: Tensor) -> Tensor:
        if self.outputs is None:
            return logits_K.sigmoid()
        binary_1N, graded_1OG = self.outputs.split(logits_K[None])
        any_1 = -torch.expm1(self.outputs.log_healthy(logits_K[None]))
        return torch.cat([binary_1N.sigmoid(), graded_1OG.softmax(2).flatten(1), any_1[:, None]], dim=1)[0]
