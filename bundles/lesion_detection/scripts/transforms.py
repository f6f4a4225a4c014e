"""Boxes on their way into a batch and out of the network.

Shapes: M boxes of an item, D detections, K findings, A anchors.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.apps.detection.utils.box_selector import BoxSelector
from monai.config import KeysCollection
from monai.transforms import MapTransform

SMALLEST = 1.0  # pixels of a side; what a crop leaves less of is no box any more


class JoinBoxesd(MapTransform):
    """Make `label` (M, 5) of `box` (M, 4) and `finding` (M,): edges clipped to the image, then the finding's number.

    A box that a crop left outside gets the number -1, as a row that fills up has.

    Args:
        image_key: of the image (C, H, W) that the boxes are on.
    """

    def __init__(self, image_key: str = "image"):
        super().__init__([image_key])

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with `label`, without what it was made of."""
        item = {key: value for key, value in data.items() if key != "finding" and not str(key).startswith("box")}
        size_2 = torch.tensor(item[self.keys[0]].shape[-2:], dtype=torch.float32)
        edges_M22 = torch.as_tensor(data["box"], dtype=torch.float32).unflatten(1, (2, 2))
        edges_M22 = torch.minimum(edges_M22.clamp(min=0), size_2)
        finding_M = torch.as_tensor(data["finding"])
        empty_M = (edges_M22[:, 1] - edges_M22[:, 0] < SMALLEST).any(1)
        numbers_M1 = finding_M.masked_fill(empty_M, -1)[:, None].float()
        item["label"] = torch.cat([edges_M22.flatten(1), numbers_M1], dim=1)
        return item


class SelectBoxesd(MapTransform):
    """Choose among a detector's boxes: rows (D, 6) of top, left, bottom, right, score and number of the finding.

    MONAI's rule: the most certain candidates, clipped to the image, less those that overlap a more certain one of the
    same finding too much. The most certain comes first.

    Args:
        keys: of (4 + K, A) boxes and logits, as `common.networks.DetectionNetwork` gives them.
        image_size: side of the square that the boxes are on, pixels.
        score: probability above which a box is a candidate.
        overlap: IoU with a more certain box above which one is left out.
        limit: most boxes of an image.
        candidates: most of them before overlaps are looked at.
    """

    def __init__(
        self,
        keys: KeysCollection,
        image_size: int,
        score: float = 0.01,
        overlap: float = 0.5,
        limit: int = 100,
        candidates: int = 1000,
    ):
        super().__init__(keys)
        self.image_size = image_size
        self.selector = BoxSelector(
            score_thresh=score, topk_candidates_per_level=candidates, nms_thresh=overlap, detections_per_img=limit
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each by its chosen boxes."""
        item = dict(data)
        for key in self.key_iterator(item):
            pred_CA = torch.as_tensor(item[key]).float()
            boxes_D4, score_D, number_D = self.selector.select_boxes_per_image(
                [pred_CA[:4].T], [pred_CA[4:].T], [self.image_size] * 2
            )
            item[key] = torch.cat([boxes_D4, score_D[:, None], number_D[:, None]], dim=1)
        return item


class BoxesToPictured(MapTransform):
    """From pixels of the resized image to pixels of the picture as it was.

    Args:
        keys: of rows that begin with top, left, bottom, right.
        image_key: of the image, a `MetaTensor` that knows its size before it was resized.
    """

    def __init__(self, keys: KeysCollection, image_key: str = "image"):
        super().__init__(keys)
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale the edges of each."""
        item = dict(data)
        image = item[self.image_key]
        before = next((step["orig_size"] for step in image.applied_operations if "orig_size" in step), None)
        if before is None:
            raise ValueError(
                f"`{self.image_key}` does not know its size before it was resized: keep its MONAI meta data."
            )
        growth_4 = torch.tensor([before[0] / image.shape[-2], before[1] / image.shape[-1]] * 2)
        for key in self.key_iterator(item):
            rows = item[key]
            item[key] = torch.cat([rows[:, :4] * growth_4.to(rows), rows[:, 4:]], dim=1)
        return item
