"""What analyses cost beside the encoder itself: `python -m bundles.embedding_analysis.scripts.benchmark`.

Both ways are timed in turn, in one process: finding the parent against the bare encoder on as many patches, and dense
tokens of a whole image against one crop for each place, of which some are timed.
"""

import argparse
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from common.networks import build_encoder
from common.records import Record

from .dense import dense_tokens, tokens_one_by_one
from .finding_parent import FindingParent
from .landmark_images import LandmarkImages

PATCHES = 9  # of an image: three parents, six halves
SIZE, CROP, STRIDE = 1024, 448, 8  # pixels, of the released code


class Noise(SimpleNamespace):
    """Images of noise in memory, in place of a store."""

    def __len__(self) -> int:
        return len(self.records)


def noise(count: int, size: int) -> LandmarkImages:
    """So many images."""
    records = [Record(f"{number}.png", str(number), "test", "noise") for number in range(count)]
    corpus = SimpleNamespace(name="noise", landmarks=(), findings=(), records=records)
    pixels = torch.randint(0, 256, (count, 1, size, size), dtype=torch.uint8)
    store: Any = Noise(corpus=corpus, records=records, size=size, batch=lambda index: pixels[index])
    return LandmarkImages(store)


def seconds(action: Callable[[], object]) -> float:
    """That it takes, with what it leaves to the GPU."""
    start = time.perf_counter()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="resnet18")
    parser.add_argument("--images", type=int, default=16, help="of finding the parent, a multiple of 4")
    parser.add_argument("--patch_size", type=int, default=224)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--places", type=int, default=16, help="of the 16,384, by crops")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = build_encoder(given.architecture, image_size=CROP).to(device).eval()
    images, analysis = noise(given.images, SIZE), FindingParent(given.patch_size, given.batch_size)
    patches = torch.rand(given.batch_size, 1, given.patch_size, given.patch_size, device=device)
    batches = given.images * PATCHES // given.batch_size
    image = torch.rand(1, SIZE, SIZE, device=device)
    places = torch.linspace(0, (SIZE // STRIDE) ** 2 - 1, given.places).long().tolist()
    encoder.embed(patches)
    shares, crops = [], []
    for _ in range(given.rounds):
        bare = seconds(lambda: [encoder.embed(patches) for _ in range(batches)])
        shares.append(bare / seconds(lambda: analysis(encoder, images)))
    for _ in range(2):  # before and after
        crops.append(seconds(lambda: tokens_one_by_one(encoder, image, STRIDE, CROP, given.batch_size, places)))
        if len(crops) == 1:
            whole = seconds(lambda: dense_tokens(encoder, image, STRIDE, CROP))
    ratios = [taken / len(places) * (SIZE // STRIDE) ** 2 / whole for taken in crops]
    print(f"{given.architecture} on {device}, in turn, lowest to highest")
    print(f"finding the parent, share of the bare encoder's throughput: {min(shares):.3f} to {max(shares):.3f}")
    print(f"dense tokens, times as fast as a crop for each place: {min(ratios):.0f} to {max(ratios):.0f}")


if __name__ == "__main__":
    main()
