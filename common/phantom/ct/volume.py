"""A phantom CT volume with everything that is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..solids import Array
from .abdomen_organs import BOWEL, KIDNEYS
from .layers import BACKGROUND
from .lobes import LOBES
from .scanner import Protocol

STRUCTURES = (
    *LOBES,
    "heart",
    "aorta",
    "superior_vena_cava",
    "inferior_vena_cava",
    "trachea",
    "liver",
    "spleen",
    "gallbladder",
    *KIDNEYS,
    *BOWEL,
    "urinary_bladder",
)
NAMES = (BACKGROUND, *STRUCTURES)


@dataclass(frozen=True)
class PhantomCT:
    """A volume and its truth; axes run to the head, to the back and to the patient's left.

    Args:
        hounsfield: (D, H, W) int16.
        labels: (D, H, W) uint8 indices into `NAMES`. As TotalSegmentator's do, lobes include what lies in them:
            vessels, nodules, consolidation, effusion.
        spacing: (d, h, w) in mm.
        origin: (z, y, x) in mm of the first voxel in the scanner, z to the head, y to the back, x to the left.
        findings: whether present, by the publisher's name.
        slices: for findings that the publisher marks slice by slice: (D,) bool, which slices show them.
        protocol: how it was made.
    """

    hounsfield: Array
    labels: Array
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    findings: Mapping[str, bool]
    slices: Mapping[str, Array]
    protocol: Protocol


def check_sampling(size: int, thickness: float) -> None:
    """Refuse what is too coarse.

    Raises:
        ValueError: naming the value and its bound.
    """
    if size < 48:
        raise ValueError(f"size is {size}, below 48: lesions would vanish; ask for 96 or more")
    if not 0 < thickness <= 10:
        raise ValueError(f"thickness is {thickness} mm; it must lie in (0, 10]")


def check_lesion_scale(scale: float) -> None:
    """Refuse lesions that are smaller than people's, or that their organs cannot hold.

    Raises:
        ValueError: naming the value and its bounds.
    """
    if not 1 <= scale <= 2.5:
        raise ValueError(f"lesion_scale is {scale}; it must lie in [1, 2.5]: nodules of 6 to 10 mm become 15 to 25")
