"""Which boxes are looked for: one case for each, with the picture it is on."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from common.files import DatasetError
from common.images import read_image
from common.records import Corpus

logger = logging.getLogger(__name__)


class Case(NamedTuple):
    """One box.

    Args:
        source: file of the image.
        patient: whose it is.
        finding: what the box is around.
        box: top, left, bottom, right as fractions of the image.
    """

    source: str
    patient: str
    finding: str
    box: tuple[float, float, float, float]


def find_cases(corpus: Corpus, findings: Sequence[str] | None, limit: int | None = None) -> list[Case]:
    """Every box of the findings, one case each, those of an image and finding together.

    Args:
        corpus: the images of a split.
        findings: names; None takes all that have boxes. One without any is told of.
        limit: at most so many images with boxes, for trials.

    Raises:
        DatasetError: a finding that the corpus does not know, or no box of any.
    """
    boxed = [record for record in corpus.records if record.boxes]
    known = sorted({box.finding for record in boxed for box in record.boxes})
    wanted = known if findings is None else list(findings)
    unknown = [name for name in wanted if name not in known and name not in corpus.findings]
    if unknown or not set(wanted).intersection(known):
        raise DatasetError(
            corpus.name,
            f"there are boxes of {', '.join(known) or 'nothing'} in these {len(corpus)} images, not of "
            f"{', '.join(unknown or wanted) or 'any finding'}",
            "Correct `findings` or `split`",
        )
    if lacking := [name for name in wanted if name not in known]:
        logger.warning("%s: no box in these %d images of %s.", ", ".join(lacking), len(corpus), corpus.name)
    used = [record for record in boxed if any(box.finding in wanted for box in record.boxes)][:limit]
    return [
        Case(record.image, record.patient_id, name, (box.top, box.left, box.bottom, box.right))
        for record in used
        for name in wanted
        for box in record.boxes
        if box.finding == name
    ]


def read_square(source: str, side: int, channels: int) -> Tensor:
    """A whole image (C, side, side) in [0, 1], whatever its shape, so that fractions of it stay fractions."""
    image_BCHW = torch.from_numpy(read_image(source, channels).astype(np.float32))[None] / 255
    return F.interpolate(image_BCHW, size=(side, side), mode="bilinear", antialias=True, align_corners=False)[0]
