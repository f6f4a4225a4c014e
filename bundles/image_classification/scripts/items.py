"""From a corpus to what the transforms take: images with the labels of the chosen findings."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from common.files import DatasetError
from common.images import as_items
from common.readers.support.label_policy import CLASS_SUFFIX
from common.records import Corpus, Record

logger = logging.getLogger(__name__)


def label_items(
    corpus: Corpus,
    findings: Sequence[str],
    exclusive: bool = False,
    fraction: float | None = None,
    limit: int | None = None,
    draw: int = 99,
) -> list[dict[str, Any]]:
    """Items with `image` (path), `label` (float32 array, one number per finding, nan unknown) and `source`.

    An image of which none of the findings is known is left out.

    Args:
        corpus: a split of what a reader returned.
        findings: the ones to learn, in the order of the network's outputs.
        exclusive: each image must have exactly one of them.
        fraction: share of the images with labels, as `Corpus.subset` draws it.
        limit: at most so many of them.
        draw: seed of which ones.

    Raises:
        DatasetError: a finding that the corpus does not know, or no image with one that is known; with `exclusive`, an
            image with none or several.
    """
    if missing := [name for name in findings if name not in corpus.findings]:
        raise DatasetError(
            corpus.name,
            f"its findings are {', '.join(corpus.findings) or 'none'}; {', '.join(missing)} is not among them",
            "Correct `findings`",
        )
    unlearnt = [name for name in corpus.findings if name.endswith(CLASS_SUFFIX) and name not in findings]
    if unlearnt:
        logger.warning(
            "%d columns of uncertain labels, such as '%s', are no output: add them to `findings`, or this trains as "
            "`uncertain: zeros` does.",
            len(unlearnt),
            unlearnt[0],
        )
    columns = [corpus.findings.index(name) for name in findings]

    def known(record: Record) -> bool:
        return record.labels is not None and any(np.isfinite(record.labels[column]) for column in columns)

    if not any(map(known, corpus.records)):
        problem = f"of none of its {len(corpus)} images here it is known whether they have {', '.join(findings)}"
        raise DatasetError(corpus.name, problem, "Correct `findings`, or give this split images with labels")
    drawn = corpus.subset(fraction=fraction, limit=limit, seed=draw, usable=known)
    items = [{**item, "label": item["label"][columns]} for item in as_items(drawn, ["label"])]
    if exclusive:
        for item in items:
            if np.isfinite(item["label"]).all() and item["label"].sum() != 1:
                raise DatasetError(
                    corpus.name,
                    f"{item['source']} has {item['label'].sum():.0f} of the findings {', '.join(findings)}",
                    "Set `exclusive: false`, or choose `findings` of which each image has exactly one",
                )
    return items
