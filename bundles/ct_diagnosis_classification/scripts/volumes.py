"""From a corpus to what the trainer takes: volumes with the labels of the chosen findings, and their organs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from common.files import DatasetError
from common.losses import InjuryOutputs
from common.records import Corpus
from common.volumes import VolumeCache


def choose_findings(
    corpus: Corpus, findings: Sequence[str], injuries: Mapping[str, Sequence[str]] | None = None
) -> Corpus:
    """The labelled volumes of a corpus, with the labels of some of its findings in the order of the network's outputs.

    Args:
        corpus: of CT volumes.
        findings: names, in that order.
        injuries: names of `binary` injuries and `graded` organs, where the findings are grades of injuries; loss and
            report take the outputs in their order.

    Raises:
        DatasetError: a finding that the corpus does not know, no volume with labels, or findings in another order
            than their injuries.
    """
    if injuries is not None:
        outputs = InjuryOutputs(tuple(injuries["binary"]), tuple(injuries["graded"])).names
        if tuple(findings) != outputs:
            problem = f"they are {', '.join(findings)}, and the injuries of the loss want {', '.join(outputs)}"
            raise DatasetError("findings", problem, "Bring `findings` and `diagnosis_loss` into one order")
    if missing := [name for name in findings if name not in corpus.findings]:
        known = ", ".join(corpus.findings) or "none"
        problem = f"its findings are {known}; {', '.join(missing)} is not among them"
        raise DatasetError(corpus.name, problem, "Correct `findings`")
    columns = [corpus.findings.index(name) for name in findings]
    records = tuple(
        replace(record, labels=tuple(record.labels[column] for column in columns))
        for record in corpus.records
        if record.labels is not None
    )
    if not records:
        raise DatasetError(corpus.name, "no volume has labels", "Give the table of labels that the reader names")
    return replace(corpus, records=records, findings=tuple(findings))


def require_organs(cache: VolumeCache, segment: bool) -> VolumeCache:
    """The cache itself, once it is sure that there is something to segment where that is wanted.

    Raises:
        DatasetError: `segment` is true, and of the volumes not one has organ masks.
    """
    if segment and cache.without_organs == len(cache):
        problem = f"of its {len(cache)} training volumes not one has an organ mask, so there is nothing to segment"
        remedy = "Name their folder (dataset_options#masks), make them (scripts/segment_ct.py), or set segment to False"
        raise DatasetError(cache.corpus.name, problem, remedy)
    return cache


def studies(corpus: Corpus) -> dict[str, str]:
    """Study of each volume, by its source; a volume without one is a study of its own."""
    return {record.image: record.study_id or record.image for record in corpus.records}


def with_organs(
    batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, dict[str, Tensor]]:
    """Volumes (B, 1, D, H, W), and the targets of `MultitaskLoss`: `label` (B, K) and `mask` (B, 1, D, H, W).

    The trainer's `prepare_batch`.
    """
    image, label, organs = (
        batch[key].to(device=device, non_blocking=non_blocking, **kwargs) for key in ("image", "label", "organs")
    )
    return image, {"label": label, "mask": organs[:, None]}
