"""Square patches of many scales anywhere in the image, twice augmented, with their quarters; and BYOL's crops."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from bundles.cxr_srhrs.scripts.targets import location_targets, shown_quarters
from common.views import QUARTERS, AugmentedCrop, Params, add_prefix, check_thickness, render_together
from common.views.augmented_crop import ChangesIntensities

WHOLES = ("teacher", "student")
LOCATIONS = ("random", "grid")
REFERENCES = ("centre", "corner")


class Patches:
    """One random patch of an image: a view for the teacher, one for the student, and the student's four quarters.

    The flip is drawn once for the patch and shared by all six, so that a quarter of the teacher's map and the quarter
    image of the same name show the same anatomy (methods C3); photometric changes are drawn for each of the six
    (C2), the small rotation for each of the two wholes. Every view is cut from the image itself: a quarter of a patch
    is as sharp as the image allows.

    Args:
        size: side of a view in pixels.
        scales: sides of the patches as shares of the image's shorter side, drawn uniformly.
        tolerance: largest change of a scale; the result is cut at 1, its target stays the nominal scale (C6).
        locations: "random": uniform over the image; "grid": the cells of a grid of 1 / scale cells per side (Table 3).
        reference: what the location target names, "centre" or "corner" (C5).
        flip: probability of mirroring left to right.
        vertical_flip: probability of mirroring top to bottom.
        mirror_targets: a flipped patch has the place of its mirror image; False keeps the label, as the release (C4).
        rotation: largest angle of the two wholes in degrees.
        photometric: augmentation of intensities.
        quarters: whether quarters are made; False saves their time where no loss uses them.

    Raises:
        ValueError: an option out of range or unknown.

    Source: SRHRS, patches and views; methods section 4.
    """

    def __init__(
        self,
        size: int = 224,
        scales: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0),
        tolerance: float = 0.05,
        locations: str = "random",
        reference: str = "centre",
        flip: float = 0.5,
        vertical_flip: float = 0.0,
        mirror_targets: bool = True,
        rotation: float = 10.0,
        photometric: ChangesIntensities | None = None,
        quarters: bool = True,
    ):
        if not scales or not all(0 < scale <= 1 for scale in scales):
            raise ValueError(f"view#scales is {tuple(scales)}; expected shares of the image's side in (0, 1].")
        if not 0 <= tolerance < min(scales):
            raise ValueError(f"view#tolerance is {tolerance}; expected 0 or more and less than the smallest scale.")
        for key, value, known in (("locations", locations, LOCATIONS), ("reference", reference, REFERENCES)):
            if value not in known:
                raise ValueError(f"view#{key} is {value!r}; expected one of {', '.join(known)}.")
        if locations == "grid" and any(abs(1 / scale - round(1 / scale)) > 1e-6 for scale in scales):
            raise ValueError(f"view#scales is {tuple(scales)}; a grid needs scales 1 / n, such as 0.25, 0.5, 1.")
        if locations == "grid" and tolerance:
            raise ValueError(
                f"view#tolerance is {tolerance}; the cells of a grid have exactly a scale's size: set it to 0."
            )
        for key, probability in (("flip", flip), ("vertical_flip", vertical_flip)):
            if not 0 <= probability <= 1:
                raise ValueError(f"view#{key} is {probability}; expected a probability in [0, 1].")
        self.size, self.scales, self.tolerance, self.locations = size, tuple(scales), tolerance, locations
        self.reference, self.mirror_targets = reference, mirror_targets
        self.flip, self.vertical_flip, self.quarters = flip, vertical_flip, quarters
        self.whole = AugmentedCrop(size, area=None, rotation=rotation, photometric=photometric, rotate_first=True)
        # Never rotated, so that the order changes nothing; with the wholes' order all six are rendered as one batch.
        self.quarter = AugmentedCrop(size, area=None, photometric=photometric, rotate_first=True)

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw one image's patch.

        Returns:
            `scale` (the target), `image_size` (2,), `flip`, `vertical_flip`, and under the name of every view and `_`
            its `box` (4,) in pixels, `flip`, `angle` and photometric parameters.

        Raises:
            ValueError: the smallest patch has quarters of less than a pixel.
        """
        check_thickness(
            (min(self.scales) - self.tolerance) * min(size) / 2,
            f"a quarter of the smallest patch of an image of {size[0]} x {size[1]} pixels",
            "Raise `view#scales` or `store_size`, or lower `view#tolerance`.",
        )
        draws = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
        scale = self.scales[int(draws[0] * len(self.scales))]
        box_4 = self._box(scale, size, draws[1:4])
        flips = draws[4] < self.flip, draws[5] < self.vertical_flip
        params = {"scale": torch.tensor(scale), "image_size": torch.tensor(size, dtype=torch.float32)}
        params |= {"flip": torch.tensor(flips[0]), "vertical_flip": torch.tensor(flips[1])}
        regions = dict.fromkeys(WHOLES, box_4)
        if self.quarters:
            regions |= dict(zip(QUARTERS, shown_quarters(box_4, *flips), strict=True))
        for name, region_4 in regions.items():
            crop = self.whole if name in WHOLES else self.quarter
            params |= add_prefix(crop.sample(generator, region_4) | {"flip": params["flip"]}, f"{name}_")
        return params

    def _box(self, scale: float, size: tuple[int, int], draws: list[float]) -> Tensor:
        side = min(1.0, scale + self.tolerance * (2 * draws[0] - 1)) * min(size)
        if self.locations == "grid":
            cells = round(1 / scale)
            draws = [draws[0], *(int(draw * cells) / max(cells - 1, 1) for draw in draws[1:])]
        top, left = (size[0] - side) * draws[1], (size[1] - side) * draws[2]
        return torch.tensor([top, left, top + side, left + side], dtype=torch.float32)

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of every view in pixels of the image; the wholes share theirs."""
        return {name: params[f"{name}_box"] for name in (*WHOLES, *(QUARTERS if self.quarters else ()))}

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render `teacher`, `student` and the quarters by name, each (B, C, size, size) float32 in [0, 1]."""
        crops = dict.fromkeys(WHOLES, self.whole) | (dict.fromkeys(QUARTERS, self.quarter) if self.quarters else {})
        views = render_together(images_BCHW, params, crops)
        if self.vertical_flip:
            turned_B = params["vertical_flip"].to(images_BCHW.device)[:, None, None, None]
            views = {name: torch.where(turned_B, view.flip(2), view) for name, view in views.items()}
        return views

    def targets(self, params: Mapping[str, Tensor]) -> Tensor:
        """Scale, x and y (B, 3) of the patches; see `location_targets`."""
        flips = (params["flip"], params["vertical_flip"]) if self.mirror_targets else (None, None)
        return location_targets(params["student_box"], params["scale"], params["image_size"], self.reference, *flips)
