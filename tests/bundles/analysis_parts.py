"""Stand-ins for encoders and images, so that what an analysis must find is known."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from bundles.embedding_analysis.scripts.landmark_images import LandmarkImages
from common.records import Record


class Stub(nn.Module):
    """An encoder that is a function of the image: tokens of a stride, or one vector."""

    def __init__(self, function, token_stride=4):
        super().__init__()
        self.function, self.token_stride = function, token_stride
        self.place = nn.Parameter(torch.zeros(()))

    def check_size(self, height, width):
        assert height % self.token_stride == 0 and width % self.token_stride == 0

    def embed(self, images):
        return self.function(images)

    tokens = embed


def mean_grey(images):
    """(B, 2): the mean of the pixels without rounding noise, and 1, so that cosines tell brightness."""
    grey = images.mean((1, 2, 3)).round(decimals=4)
    return torch.stack([grey, torch.ones_like(grey)], dim=1)


def pooled(size):
    """An encoder that is a picture of `size` pixels a side."""
    return lambda images: nn.functional.adaptive_avg_pool2d(images, size).flatten(1)


class MemoryStore(SimpleNamespace):
    def __len__(self):
        return len(self.records)


def images_of(pixels_NSS, landmarks=None, patients=None, findings=(), labels=None, studies=None):
    """`LandmarkImages` over pixels in memory; landmarks is name -> (row, col), or one such mapping for each image."""
    count = len(pixels_NSS)
    each = landmarks if isinstance(landmarks, list) else [landmarks or {}] * count
    patients = patients or [str(number) for number in range(count)]
    studies = studies or [None] * count
    records = tuple(
        Record(
            f"/x/{n}.png",
            patients[n],
            "test",
            "x",
            labels=None if labels is None else labels[n],
            landmarks=each[n],
            study_id=studies[n],
        )
        for n in range(count)
    )
    names = tuple(dict.fromkeys(name for one in each for name in one))
    corpus = SimpleNamespace(name="x", landmarks=names, findings=tuple(findings), records=records)
    pixels = torch.from_numpy(np.asarray(pixels_NSS, dtype=np.uint8))[:, None]
    store = MemoryStore(corpus=corpus, records=records, size=pixels.shape[-1], batch=lambda index: pixels[index])
    return LandmarkImages(store)


def noise(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), np.uint8)
