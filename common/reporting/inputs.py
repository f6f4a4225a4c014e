"""Data sets as MLflow lists them beside a run."""

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

from ..command.credentials import without_credentials
from ..records.corpus import SPLITS, Corpus

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput


def data_input(corpus: Corpus, role: str) -> "DatasetInput":
    """A corpus as an input of a run: its fingerprint, its folder, and how many images and patients each split has.

    Of inputs with the same name and fingerprint MLflow keeps one, so that the role is a part of the name.

    Args:
        corpus: whose images the run reads.
        role: `train`, `validation` or `test`: what for.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    images = Counter(record.split for record in corpus.records)
    patients = Counter(split for split, _ in {(record.split, record.patient_id) for record in corpus.records})
    profile = {split: {"images": images[split], "patients": patients[split]} for split in SPLITS if images[split]}
    folder = os.path.commonpath([os.path.dirname(record.image) for record in corpus.records])  # noqa: PTH120  a text
    data = Dataset(
        name=f"{corpus.name}/{role}",
        digest=corpus.fingerprint(),
        source_type="local",
        source=json.dumps({"uri": without_credentials(folder)}),
        profile=json.dumps(profile),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", role)])
