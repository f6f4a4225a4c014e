"""The images that a pre-training's probe looks at."""

import logging
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..records import Corpus
from .reading import indexed

logger = logging.getLogger(__name__)
PHANTOM = "data/phantom"
"""Where README and quickstart make the phantom."""


def read_probe(
    dataset: str,
    root: str | os.PathLike[str] | None,
    options: Mapping[str, Any],
    trained: tuple[str, str, Mapping[str, Any]],
    split: str | None = "test",
) -> Corpus:
    """Read the probe's images, so that real images can be pre-trained on with nothing else at hand.

    Args:
        dataset: reader of the probe's folder.
        root: that folder; None takes the phantom where there is one, and otherwise the images that are trained on,
            preferably those held out: without landmarks and masks, of which the probe then says nothing.
        options: of the probe's reader.
        trained: reader, folder and options of the training.
        split: which images of the probe's folder; None takes all.
    """
    if root is not None:
        return _looked_at(indexed(dataset, root, **options).subset(split), root)
    if Path(PHANTOM).is_dir():
        corpus = _looked_at(indexed(dataset, PHANTOM, **options).subset(split), PHANTOM)
        if Path(trained[1]).resolve() != Path(PHANTOM).resolve():
            logger.info(
                "The probe looks at the %d %s images of %s in %s, since `probe_dir` names no folder; a folder of your "
                "own is given by --probe_dataset and --probe_dir.",
                len(corpus),
                split or "",
                corpus.name,
                PHANTOM,
            )
        return corpus
    corpus = indexed(trained[0], trained[1], **trained[2])
    held_out = next(name for name in ("test", "val", "train") if any(r.split == name for r in corpus.records))
    logger.info(
        "There is no phantom in %s and `probe_dir` names no folder: the probe looks at %s images of %s, and says "
        "nothing of what they lack, such as landmarks. `python scripts/make_phantom.py %s` makes one.",
        PHANTOM,
        held_out,
        corpus.name,
        PHANTOM,
    )
    return _looked_at(corpus.subset(held_out), trained[1])


def _looked_at(corpus: Corpus, root: str | os.PathLike[str]) -> Corpus:
    """Say what the probe alone takes of a folder: it may be the training's, which another line has counted."""
    splits = Counter(record.split for record in corpus.records)
    said = ", ".join(f"{count:,} {name}" for name, count in sorted(splits.items()))
    logger.info("Read %s in %s for the probe: %s.", corpus.name, root, said)
    return corpus
