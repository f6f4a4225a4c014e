"""Which detections hit a box.

Shapes: N images.
"""

from collections.abc import Sequence

import numpy as np
from monai.apps.detection.metrics.matching import matching_batch
from monai.data.box_utils import box_iou

from ..scoring.matched import Matched
from ..scoring.scorers import Values


def match(predictions: Sequence[Values], labels: Sequence[Values], findings: int, iou: float) -> list[Matched]:
    """Match each image's detections to its boxes, by finding: the most certain first, each box once, by MONAI.

    Args:
        predictions: of each image, rows of top, left, bottom, right, score and number of the finding.
        labels: of each image, rows of top, left, bottom, right and number of the finding.
        findings: how many there are.
        iou: from which on a detection hits a box.
    """
    most = max((len(rows) for rows in predictions), default=0)
    matched = matching_batch(
        iou_fn=box_iou,  # type: ignore[arg-type]  # it takes tensors as well
        iou_thresholds=[iou],
        pred_boxes=[rows[:, :4] for rows in predictions],
        pred_classes=[rows[:, 5].astype(int) for rows in predictions],
        pred_scores=[rows[:, 4] for rows in predictions],
        gt_boxes=[rows[:, :4] for rows in labels],
        gt_classes=[rows[:, 4].astype(int) for rows in labels],
        max_detections=most,
    )
    return [_of_finding(matched, number) for number in range(findings)]


def _of_finding(matched: Sequence[dict], number: int) -> Matched:
    image, score, hit = [np.zeros(0, int)], [np.zeros(0)], [np.zeros(0, bool)]
    boxes_N = np.zeros(len(matched), int)
    for index, found in enumerate(matched):
        if number in found:
            scores = found[number]["dtScores"]
            image.append(np.full(len(scores), index))
            score.append(scores)
            hit.append(found[number]["dtMatches"][0] > 0)
            boxes_N[index] = found[number]["gtMatches"].shape[1]
    order = np.argsort(-np.concatenate(score), kind="stable")
    return Matched(np.concatenate(image)[order], np.concatenate(score)[order], np.concatenate(hit)[order], boxes_N)
