"""Heat maps of several classifiers beside each other, one finding a row."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torch import device as Device

from common.figures import HALO, TEXT, as_written

from .cases import Case, read_square
from .classifiers import Trained
from .heat_maps import HeatMaps
from .numbers import Scored

SIDE = 2.4  # inches of a panel
BOX = "#56B4E9"


def heat_map_figure(
    classifiers: Mapping[str, Trained],
    numbers: Mapping[str, Mapping[str, int]],
    cases: Sequence[Case],
    scored: Mapping[str, Sequence[Scored]],
    device: Device | str = "cpu",
) -> Figure:
    """A row for each finding: the image with its boxes, then the map of each classifier over it.

    Shown is the box whose energy, averaged over the classifiers, is nearest to the median of its finding: neither the
    best nor the worst.

    Args:
        classifiers: by name.
        numbers: of their outputs, by classifier and finding.
        cases: the boxes.
        scored: by classifier, what its map says of each box.
        device: where the classifiers are.
    """
    findings = sorted({case.finding for case in cases})
    chosen = [median_case(name, cases, scored) for name in findings]
    maps = {name: HeatMaps(trained.network) for name, trained in classifiers.items()}
    size = (SIDE * (len(classifiers) + 1) + 0.4, (SIDE + 0.25) * len(findings) + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(findings), len(classifiers) + 1, squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, name in zip(panels[0], ["image and boxes", *classifiers], strict=True):
        axes.set_title(as_written(name, 24), fontsize=TEXT + 1)
    for row, number in zip(panels, chosen, strict=True):
        case = cases[number]
        same = [other.box for other in cases if (other.source, other.finding) == (case.source, case.finding)]
        for axes, whose in zip(row, [None, *classifiers], strict=True):
            trained = classifiers[whose] if whose else next(iter(classifiers.values()))
            channels = trained.network.encoder.description.in_channels
            image_CHW = read_square(case.source, trained.image_size, channels)
            _draw(axes, image_CHW, same)
            if whose:
                map_HW = maps[whose](image_CHW[None].to(device), numbers[whose][case.finding])[0].cpu()
                axes.imshow(map_HW, cmap="inferno", alpha=np.asarray(map_HW) * 0.65, vmin=0, vmax=1)
                found = scored[whose][number]
                said = f"energy {found.energy:.2f}, {'hit' if found.pointing else 'miss'}"
                axes.set_xlabel(said if found.anywhere else "a map of zeros", fontsize=TEXT)
            else:
                axes.set_ylabel(as_written(case.finding, 24), fontsize=TEXT + 1)
                axes.set_xlabel(as_written(Path(case.source).name, 26), fontsize=TEXT)
    figure.suptitle("Grad-CAM on the box of median energy of each finding", fontsize=TEXT + 2)
    return figure


def median_case(finding: str, cases: Sequence[Case], scored: Mapping[str, Sequence[Scored]]) -> int:
    """Number of the case of a finding whose mean energy over classifiers is nearest to the median of these."""
    own = [number for number, case in enumerate(cases) if case.finding == finding]
    energy = np.nan_to_num([[part[number].energy for part in scored.values()] for number in own]).mean(axis=1)
    return own[int(np.abs(energy - np.median(energy)).argmin())]


def _draw(axes: Axes, image_CHW: Tensor, boxes: Sequence[Sequence[float]]) -> None:
    side = image_CHW.shape[-1]
    axes.imshow(image_CHW.mean(0), cmap="gray", vmin=0, vmax=1)
    for top, left, bottom, right in boxes:
        # a pixel's centre is whole to matplotlib, its edge is to us
        place, extent = (left * side - 0.5, top * side - 0.5), ((right - left) * side, (bottom - top) * side)
        drawn = Rectangle(place, *extent, fill=False, linewidth=1.2, color=BOX)
        drawn.set_path_effects(HALO)
        axes.add_patch(drawn)
