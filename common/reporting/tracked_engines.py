"""What the engines of a run tell of it: parameters, and the data that is trained on and judged by."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine
from monai.engines import Evaluator

from ..engines import Trainer
from ..evaluation.best import beginning
from ..records import Corpus
from ..records.data_used import DataUsed, data_used
from . import data_note, flatten, parameters
from .inputs import data_input

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

ROLES = {"train": "train", "val": "validation", "test": "test"}
"""What an evaluation by itself is for, by the split that it judges."""


class TrackedEngines:
    """The trainer and the evaluator of a run, either of which may be absent.

    Args:
        corpus: of which images or volumes are read where a dataset does not tell of another; None tells nothing.
    """

    def __init__(self, corpus: Corpus | None):
        self.corpus = corpus
        self.trainer: Trainer | None = None
        self.evaluator: Evaluator | None = None

    @property
    def step(self) -> int:
        """The trainer's iteration; 0 without one."""
        return self.trainer.state.iteration if self.trainer is not None else 0

    def described(self, given: Mapping[str, Any]) -> dict[str, str]:
        """What runs are compared by: of the engine and its network, of the corpus, and what is given and not null."""
        if self.trainer is not None:
            told = parameters.of_training(self.trainer)
        else:
            told = parameters.of_network(getattr(self.evaluator, "network", None))
        if self.corpus is not None:
            told["data.name"] = self.corpus.name
            told["data.records"] = len(self.corpus.records)
            told["data.fingerprint"] = self.corpus.fingerprint()
            told |= {f"data.{name}": chosen for name, chosen in self.corpus.choices.items()}
        return flatten.params({**told, **{name: value for name, value in given.items() if value is not None}})

    def data_tags(self, note: data_note.DataNote, goes_on: bool) -> dict[str, str]:
        """Tags of what is trained on and judged by; a training notes it in its folder too.

        Args:
            note: of the run.
            goes_on: the weights come from the run's own checkpoint.
        """
        trained, validated = self.data_used(self.trainer), self.data_used(self.evaluator)
        if self.trainer is None:
            return data_note.tags(evaluated=validated)
        network = self.trainer.network
        note.write(trained, validated, goes_on, beginning(getattr(network, "module", network)))  # of a wrapper
        return data_note.tags(trained, validated)

    def inputs(self) -> list["DatasetInput"]:
        """The corpus of each engine, where its dataset tells what it reads of it."""
        found = []
        for engine in (self.trainer, self.evaluator):
            dataset = getattr(getattr(engine, "data_loader", None), "dataset", None)
            corpus = getattr(getattr(dataset, "store", None), "corpus", self.corpus)
            if isinstance(corpus, Corpus) and self.data_used(engine):
                found.append(data_input(corpus, self.role(engine)))
        return found

    def role(self, engine: Engine | None) -> str:
        """What an engine's data are for; an evaluator beside a trainer validates, whatever split it takes for that."""
        if self.trainer is not None:
            return "train" if engine is self.trainer else "validation"
        splits = {used.split for used in self.data_used(engine)}
        return ROLES.get(splits.pop(), "validation") if len(splits) == 1 else "validation"

    def data_used(self, engine: Engine | None) -> list[DataUsed]:
        """What an engine's dataset reads; nothing where it does not tell."""
        loader = getattr(engine, "data_loader", None)
        return data_used(getattr(loader, "dataset", None), self.corpus)
