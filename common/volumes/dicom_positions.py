"""Whether the slices of a series stand at even distances, without gaps and repetitions.

Highdicom's `get_series_volume_positions` gives None for all that is refused here by name, place and number.
"""

from collections.abc import Sequence
from statistics import median_low

import numpy as np

from ..files.errors import Unusable

REPEATED = 0.01  # mm: two slices closer than this are one place
GAP = 1.5  # steps: halfway between no slice missing and one
UNEVEN = 0.1  # steps: scanners round positions to hundredths of a mm; more would bend the volume
DRIFT = 1.0  # mm beside the line through the first and the last slice


def slice_step(names: Sequence[str], positions: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return the way from one slice to the next, (x, y, z) in mm.

    It need not stand upright on the slices: with a tilted gantry it does not.

    Args:
        names: of the files, sorted along the normal.
        positions: (N, 3), ImagePositionPatient in the same order.
        normal: of the slices, of length 1.

    Raises:
        Unusable: fewer than two slices, a place that occurs twice, a gap, or uneven distances.
    """
    if len(names) < 2:
        raise Unusable(f"it holds one slice ({names[0]})", "A volume has two or more: get the rest of the series")
    if not np.isfinite(positions).all():
        raise Unusable("a slice's ImagePositionPatient is not a number", "Get the series again")
    along = positions @ normal
    distances = np.diff(along)
    repeated = np.flatnonzero(distances < REPEATED)
    if len(repeated):
        first = int(repeated[0])
        problem = f"{len(repeated)} slices repeat a place: {names[first]} and {names[first + 1]} at {along[first]:g} mm"
        raise Unusable(problem, "Keep one of each: the folder may hold two copies or two time points")
    typical = float(median_low(distances))
    gaps = np.flatnonzero(distances > GAP * typical)
    if len(gaps):
        first = int(gaps[0])
        lost = int(sum(round(distances[gap] / typical) - 1 for gap in gaps))
        problem = f"about {lost} slices are missing, the first between {names[first]} at {along[first]:g} mm and "
        problem += f"{names[first + 1]} at {along[first + 1]:g} mm (slices are {typical:g} mm apart)"
        raise Unusable(problem, "Get the series again: a download was cut off")
    if np.abs(distances - typical).max() > UNEVEN * typical:
        problem = f"its slices stand unevenly, {distances.min():g} to {distances.max():g} mm apart"
        raise Unusable(problem, "Resample the series to even distances and save it as NIfTI")
    step: np.ndarray = (positions[-1] - positions[0]) / (len(positions) - 1)
    drift = np.abs(positions - positions[0] - np.arange(len(positions))[:, None] * step).max()
    if drift > DRIFT:
        problem = f"its slices do not follow one line (one is {drift:.1f} mm beside it)"
        raise Unusable(problem, "The table moved between them: resample the series and save it as NIfTI")
    return step
