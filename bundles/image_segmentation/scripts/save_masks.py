"""Write predicted masks at the size of the images they belong to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from PIL import Image
from torch import Tensor

from common.images import image_size

from .file_names import mask_path, one_part


class SaveMasks:
    """Handler of an evaluator: one PNG (0 outside, 255 inside) per image and structure, at the image's own size.

    Files are `<directory>/<structure>/<path of the image below root>.png`, so that images of one name in two
    folders stay apart. The image's suffix is part of that name where two images differ in nothing else. A structure
    whose name is no folder's, such as `a/b`, is written with escapes (`a%2Fb`).

    Args:
        directory: where the files go; made when absent.
        root: folder of the images.
        structures: names of the channels.
        threshold: probability above which a pixel is inside, after resizing.

    Raises:
        ValueError: two structures have one name.
    """

    def __init__(self, directory: str, root: str, structures: Sequence[str], threshold: float = 0.5):
        self.directory = Path(directory)
        self.root = Path(root).resolve()  # as readers do
        self.structures = list(structures)
        if len(set(self.structures)) < len(self.structures):
            raise ValueError(f"structures = {self.structures} names one twice, whose masks would be one file; rename.")
        self.threshold = threshold
        self.written = 0

    def attach(self, engine: Engine) -> None:
        """Write after every batch and say at the end what was written."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._report)

    def _write(self, engine: Engine) -> None:
        state: Any = engine.state
        for item, batch in zip(state.output, state.batch, strict=True):
            source = Path(batch["source"])
            masks_KHW = at_size(item["probabilities"], image_size(source), self.threshold)
            for name, mask_HW in zip(self.structures, masks_KHW, strict=True):
                path = self.directory / one_part(name) / mask_path(source).relative_to(self.root)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask_HW.numpy()).save(path)
            self.written += 1

    def _report(self, engine: Engine) -> None:
        print(f"Wrote masks of {', '.join(self.structures)} for {self.written} images to {self.directory.resolve()}")


def at_size(probabilities: Any, size: tuple[int, int], threshold: float) -> Tensor:
    """Masks (K, H, W) of 0 and 255 from probabilities (K, h, w): probabilities are resized, then cut."""
    resized = F.interpolate(probabilities[None].float().cpu(), size=size, mode="bilinear", align_corners=False)[0]
    return (resized > threshold).to(torch.uint8) * 255
