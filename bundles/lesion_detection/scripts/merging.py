"""One box where several radiologists drew the same finding.

Shapes: N boxes, 4 (top, left, bottom, right).
"""

from collections.abc import Sequence

import numpy as np
from monai.data.box_utils import box_iou
from scipy.sparse.csgraph import connected_components

from common.records import Box


def merged(boxes: Sequence[Box], overlap: float) -> list[Box]:
    """Boxes of which none overlaps another one of its finding: those that do become their mean.

    Args:
        boxes: of an image.
        overlap: IoU from which on two boxes are of the same thing, as are those that others in between connect.

    Example:
        >>> readings = [Box("Mass", 0.0, 0.0, 0.4, 0.4), Box("Mass", 0.0, 0.0, 0.4, 0.5), Box("Edema", 0, 0, 0.4, 0.4)]
        >>> [(box.finding, round(box.right, 2)) for box in merged(readings, 0.5)]
        [('Edema', 0.4), ('Mass', 0.45)]
    """
    found = []
    for name in sorted({box.finding for box in boxes}):
        edges_N4 = np.array([(it.top, it.left, it.bottom, it.right) for it in boxes if it.finding == name])
        count, group_N = connected_components(np.asarray(box_iou(edges_N4, edges_N4)) >= overlap, directed=False)
        means = [edges_N4[group_N == group].mean(0).tolist() for group in range(count)]
        found += [Box(name, *edges) for edges in means]
    return found
