"""Draw what kept small pre-trainings from learning, from `studies/causes/curves.json`, into docs/images."""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from common.figures import TEXT, styles
from common.studies.panels import label

CURVES = Path("studies/causes/curves.json")
POSITION = 0.416  # of the landmarks that the same place finds, on the same phantoms and 16 x 16 tokens


def panel(axes: Axes, title: str, lines: dict[str, tuple[Any, Callable[[Any], list]]]) -> None:
    """Lines by what each shows: a curve, and what is drawn of its points."""
    look = styles(lines)
    for name, (curve, value) in lines.items():
        steps = curve["points"]["step"]
        drawn = [(step, y) for step, y in zip(steps, value(curve["points"]), strict=True) if y is not None]
        axes.plot(*zip(*drawn, strict=True), label=name, **look[name]._asdict())
    axes.set_xlabel("optimiser steps", fontsize=TEXT)
    label(axes, title)


def number(curves: dict[str, Any], keys: dict[str, str], name: str) -> dict[str, tuple[Any, Callable[[Any], list]]]:
    """One number of several curves, as `panel` takes them."""
    return {title: (curves[key], lambda points: points[name]) for title, key in keys.items()}


def share_of(name: str, uniform: float) -> Callable[[Any], list]:
    """A loss as share of what it is where nothing is told apart."""
    return lambda points: [None if y is None else y / uniform for y in points[name]]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images/learning_causes.png"))
    curves = json.loads(CURVES.read_text())
    figure = Figure(figsize=(11, 7), layout=ConstrainedLayoutEngine(hspace=0.1))
    axes = figure.subplots(2, 2)
    landmarks = {
        "landmarks as labels, ViT": "labels_vit",
        "landmarks as labels, ResNet-18": "labels_resnet",
        "ACE, all but its centre, ResNet-18": "ace_softmax",
        "ACE as it was, ViT": "ace_vit",
        "MoCo v2 as it was, ViT": "moco_vit",
    }
    panel(axes[0, 0], "landmarks found: network and probe can", number(curves, landmarks, "landmark_retrieval"))
    axes[0, 0].axhline(POSITION, color="0.4", linestyle=":", linewidth=1, label="position alone")
    contrast = {
        "bank of 512, keys 0.99": (curves["moco_vit"], share_of("loss", math.log(513))),
        "bank of 512, keys 0.999": (curves["moco_vit_slow_keys"], share_of("loss", math.log(513))),
        "bank of 64, keys 0.99": (curves["moco_vit_short_bank"], share_of("loss", math.log(65))),
    }
    panel(axes[0, 1], "MoCo v2, ViT: loss; 1 is chance", contrast)
    codes = {
        "4,096 codes, teacher 0.99 to 1": (curves["ace_resnet_former"], share_of("global", math.log(4096))),
        "256 codes, teacher 0.95": (curves["ace_softmax"], share_of("global", math.log(256))),
        "the same, centre of the last batch": (curves["ace_now"], share_of("global", math.log(256))),
    }
    panel(axes[1, 0], "ACE, ResNet-18: global loss; 1 is all codes alike", codes)
    steps = {
        "as it was": "ace_resnet_former",
        "softmax matching": "ace_resnet_softmax",
        "256 codes, teacher 0.95": "ace_resnet_codes_teacher",
        "all three": "ace_softmax",
    }
    panel(axes[1, 1], "ACE, ResNet-18: lung probe AUC, phantoms", number(curves, steps, "patch_auc"))
    for each in axes.flat:
        each.legend(fontsize=TEXT, frameon=False)
    figure.savefig(parser.parse_args(words).out, dpi=110)


if __name__ == "__main__":
    main()
