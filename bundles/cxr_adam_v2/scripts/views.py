"""Adam v2's crops: of a base crop for localisation alone, of a whole and its quarters for all three losses."""

from collections.abc import Sequence
from itertools import cycle

from torch import Generator, Tensor

from bundles.cxr_adam_v2.scripts.granularity import GranularCrops, square_box
from common.views import QUARTERS, AugmentedCrop, quarter_boxes
from common.views.augmented_crop import ChangesIntensities

LOCAL_AREAS = ((0.05, 0.1), *((n / 10, (n + 1) / 10) for n in range(1, 8)))  # of the LCD stage's local crops: released
ASPECTS = ((3 / 4.5, 1.0), (1.0, 4.5 / 3))  # of the LCD stage's local crops in turn: upright, then lying


class LocalisationCrops(GranularCrops):
    """The L stage: random crops inside a base crop, which lies anywhere in the image.

    The teacher sees both global crops, the student all. Every crop has its own intensities and rotation.

    Args:
        size: pixels of global crops (released: 224).
        local_size: pixels of local crops (DINO: 96).
        local_crops: their number (released: 8).
        global_area: range of a global crop's share of the base crop (released: 0.8 to 1).
        local_area: range of a local crop's share (released: 0.05 to 0.4).
        rotation: largest angle in degrees (released: 30).
        photometric: augmentation of intensities; None leaves them alone.
        granularity_epochs: see `GranularCrops` (released: 200, 200, 100).

    Raises:
        ValueError: a negative count, or a range outside (0, 1].

    Source: released code; methods section 2, Adam v2.
    """

    def __init__(
        self,
        size: int = 224,
        local_size: int = 96,
        local_crops: int = 8,
        global_area: tuple[float, float] = (0.8, 1.0),
        local_area: tuple[float, float] = (0.05, 0.4),
        rotation: float = 30.0,
        photometric: ChangesIntensities | None = None,
        granularity_epochs: Sequence[int] = (200, 200, 100),
    ):
        if local_crops < 0:
            raise ValueError(f"local_crops is {local_crops}; expected 0 or more. Correct it in the config.")
        self.size = size
        self.teacher_names = ("global0", "global1")
        self.student_names = (*self.teacher_names, *_local_names(local_crops))
        global_crop = AugmentedCrop(size, global_area, rotation=rotation, photometric=photometric)
        local_crop = AugmentedCrop(local_size, local_area, rotation=rotation, photometric=photometric)
        crops = {name: global_crop if name in self.teacher_names else local_crop for name in self.student_names}
        super().__init__(crops, granularity_epochs)

    def _regions(self, generator: Generator, size: tuple[int, int], side: float) -> dict[str, Tensor]:
        return dict.fromkeys(self.crops, square_box(generator, size, side, 0))


class PartWholeCrops(GranularCrops):
    """The LCD stage: a random whole with its quarters, and student crops about its centre, from small to large.

    The whole keeps away from the image's border where there is room. The teacher codes it alone; the student codes one
    global crop and the local ones, which are concentric with it, each in a range of areas of its own. Quarters are cut
    at the middle; at the released sizes a quarter shows twice the detail. Every crop has its own intensities and
    rotation; student and teacher see the same rendering of whole and quarters.

    Args:
        size: pixels of the whole and of the global crop (released: 224).
        local_size: pixels of local crops (released: 96).
        part_size: pixels of a quarter (released: 224).
        global_area: range of the global crop's share of the whole (released: 0.8 to 1).
        local_areas: range of each local crop's share; their aspect ratios are 2/3 to 1 and 1 to 3/2 in turn.
        margin: pixels of the image that the whole keeps from its border, along each axis where it can (released: 50).
        rotation: largest angle in degrees (released: 10).
        photometric: augmentation of intensities; None leaves them alone.
        granularity_epochs: see `GranularCrops` (released: 10, 90, 165).

    Raises:
        ValueError: a negative margin, or a range outside (0, 1].

    Source: released code; methods section 2, Adam v2.
    """

    def __init__(
        self,
        size: int = 224,
        local_size: int = 96,
        part_size: int = 224,
        global_area: tuple[float, float] = (0.8, 1.0),
        local_areas: Sequence[tuple[float, float]] = LOCAL_AREAS,
        margin: float = 50,
        rotation: float = 10.0,
        photometric: ChangesIntensities | None = None,
        granularity_epochs: Sequence[int] = (10, 90, 165),
    ):
        if margin < 0:
            raise ValueError(f"margin is {margin}; expected 0 or more. Correct it in the config.")
        self.size, self.margin = size, margin
        self.part_names = ("whole", *QUARTERS)
        self.teacher_names = ("whole",)
        self.student_names = ("global", *_local_names(len(local_areas)))

        def crop(
            pixels: int, area: tuple[float, float] | None, ratio: tuple[float, float] = (3 / 4, 4 / 3)
        ) -> AugmentedCrop:
            return AugmentedCrop(pixels, area, ratio, rotation=rotation, photometric=photometric, centred=True)

        crops = {
            "whole": crop(size, None),
            "global": crop(size, global_area),
            **dict.fromkeys(QUARTERS, crop(part_size, None)),
            **{
                name: crop(local_size, area, ratio)
                for name, area, ratio in zip(self.student_names[1:], local_areas, cycle(ASPECTS), strict=False)
            },
        }
        super().__init__(crops, granularity_epochs)

    def _regions(self, generator: Generator, size: tuple[int, int], side: float) -> dict[str, Tensor]:
        whole_4 = square_box(generator, size, side, self.margin)
        quarters = dict(zip(QUARTERS, quarter_boxes(whole_4), strict=True))
        return {name: quarters.get(name, whole_4) for name in self.crops}


def _local_names(count: int) -> tuple[str, ...]:
    return tuple(f"local{index}" for index in range(count))
