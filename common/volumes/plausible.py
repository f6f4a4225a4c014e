"""Whether numbers can be the Hounsfield units of a body.

Files tell little about what their numbers mean. What no CT has is refused; what a CT may have by its crop or its
subject, and other numbers have more often, is said.
"""

import numpy as np

from ..files.errors import Unusable
from .doubts import doubt

BODY = -500.0  # between air or lung and every other tissue
LEAST_SPAN = 5.0  # masks, pictures of 0 to 1 and of -1 to 1 have less; the noise of any scanner more
LEAST_SPREAD = 2.5  # standard deviation: 1 after normalising; 5 or more in the water of a quality check
HIGHEST = 70_000.0  # 16 bits; scales that were extended for metal end at 31 000
LUNG_TO_FAT = (-1100.0, -30.0)
SOFT, DENSE = -200.0, 700.0  # above the one lies every soft tissue, above the other bone and metal alone
BELOW_AIR = -1200.0
SOME, MUCH, MOST_DENSE = 0.001, 0.05, 0.25  # shares of the voxels
SAMPLED = 64  # voxels along an axis that are looked at, at least

WRONG = "If it is no CT in Hounsfield units, leave it out, or write its rescale slope and intercept into its header"


def check_plausible(values: np.ndarray) -> None:
    """Refuse what is no CT of a body, and say where it may be none.

    Args:
        values: (A, B, C), what is taken for Hounsfield units.

    Raises:
        Unusable: one value everywhere, only air, or numbers that no CT has.
    """
    low, high = float(values.min()), float(values.max())
    stated = f"its values run from {low:g} to {high:g}"
    if low == high:
        raise Unusable(f"every voxel has the value {low:g}", "It shows nothing: get the file again or leave it out")
    if high < BODY:
        problem = f"it shows only air: no voxel is above {BODY:g} HU, the highest is {high:g}"
        raise Unusable(problem, "Check its rescale slope and intercept, or leave it out")
    sample = values[tuple(slice(None, None, max(side // SAMPLED, 1)) for side in values.shape)]
    if high - low <= LEAST_SPAN or _is_normalised(sample):
        problem = f"{stated}, with a standard deviation of {sample.std():.2g}: no Hounsfield units"
        raise Unusable(problem, "It was normalised, or it is a mask: get the CT in Hounsfield units")
    if high > HIGHEST:
        raise Unusable(f"{stated}: no CT has so high ones", "Its numbers are no Hounsfield units: get the file again")
    for text in filter(None, (_no_air(sample), _too_dense(sample), _too_thin(sample), _shifted_air(sample))):
        doubt(f"{text} ({stated}). {WRONG}")


def _is_normalised(sample: np.ndarray) -> bool:
    return bool(sample.dtype.kind == "f" and sample.std() < LEAST_SPREAD and (sample != np.rint(sample)).any())


def _no_air(sample: np.ndarray) -> str:
    if _share((sample >= LUNG_TO_FAT[0]) & (sample < LUNG_TO_FAT[1])) >= SOME:
        return ""
    return (
        "it has no air, lung or fat, as stored numbers without their intercept, MR, pictures and label maps have none"
    )


def _too_dense(sample: np.ndarray) -> str:
    share = _share(sample > DENSE)
    return "" if share < MOST_DENSE else f"{share:.0%} of its voxels are as dense as bone, above {DENSE:g}"


def _too_thin(sample: np.ndarray) -> str:
    if _share(sample > SOFT) >= SOME:
        return ""
    return f"it has no soft tissue, above {SOFT:g}, as a CT whose intercept was added twice has none"


def _shifted_air(sample: np.ndarray) -> str:
    below = sample[sample < BELOW_AIR]
    if below.size < MUCH * sample.size or np.bincount(np.unique(below, return_inverse=True)[1]).max() > below.size / 2:
        return ""  # padding is one value
    return f"{below.size / sample.size:.0%} of its voxels are thinner than air, of many values below {BELOW_AIR:g}"


def _share(chosen: np.ndarray) -> float:
    return float(chosen.mean())
