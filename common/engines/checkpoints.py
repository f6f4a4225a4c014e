"""Checkpoints from which a run goes on exactly."""

import logging
import math
import operator
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import nn
from torch.optim import Optimizer

from ..claims import claim
from ..files import sweep
from ..run_folder import LOCK
from . import distributed
from .checkpoint_choice import choose, load_states, restore_best
from .checkpoint_writer import CheckpointWriter, finish_all
from .clipping import norms_of
from .errors import CheckpointError, NonFiniteWeights
from .events import RunEvents, whatever_happens
from .soundness import read_checkpoint
from .trainer import Trainer

logger = logging.getLogger(__name__)
WRITING = 2
"""Largest part of the time in which epochs are being written, in `share`s; about half of it waits for the disk."""


class Stateful(Protocol):
    """Something whose state travels with the checkpoint."""

    def state_dict(self) -> Mapping[str, Any]:
        """Plain values and tensors."""

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Take them back."""


class Checkpoints:
    """Handler that saves a trainer's state and, in a new process, loads the newest sound one.

    The state is copied between two batches, after every handler of the iteration or epoch has run, wherever this
    handler stands in the list. A thread writes the copy, which takes a file's size of the host's memory, under another
    name, forces it to disk and renames it while training goes on; the next one, the end of the run, however it ends,
    and `files` wait for it. An error of writing ends the run in the next iteration. The files load with MONAI's
    `CheckpointLoader` as `{network, optimizer, trainer}`.

    A file that is torn, of another make, not finite or of other networks is renamed to `.torn`, with a warning, and
    the newest before it that fits is taken; where none fits, the recipe has changed, and the run is refused. What lies
    between two checkpoints is trained again, with the same result.

    Args:
        directory: of this run alone; holds `iteration-<number>.pt` and `best.pt`.
        network: the unwrapped network, teacher included.
        optimizer: of the network.
        every_epochs: save after so many epochs.
        every_iterations: save also in mid-epoch, after so many iterations; None does not.
        share: largest part of the time that training may lose by saving epochs, in (0, 1): to copy the state, and to
            wait for the file before. Files are being written for at most twice that part, so that they leave disk and
            processor to others. Where epochs are seconds, one that comes sooner than both allow is passed over. The
            last one, the best one, the one at a signal and those of `every_iterations` are saved always. None saves
            every one.
        keep_last: number of newest checkpoints kept, 1 or more.
        keep_finished: number of them that a finished run keeps, 1 or more; None keeps all that there are.
        keep_best: True keeps the epoch with the best key metric, as the evaluator compares it, as `best.pt`; a name
            goes by another of its metrics. Needs this handler in `validate#handlers` too.
        best_is: whether `max` or `min` of a metric given by name is best.
        best_after: iterations before which no value counts, for metrics that are too good at first.
        extra: further objects with `state_dict` and `load_state_dict`, by name.

    Attributes:
        best: value and iteration of the best evaluation so far; empty before the first.
        when_best: called at the end of an evaluation that is the best so far, with the weights as they were judged,
            when earlier files are written.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from torch.utils.data import DataLoader
        >>> from common.engines import Trainer
        >>> from common.images import SeededDataset
        >>> from common.sampling import SeededSampler
        >>> data = SeededDataset([{"image": torch.ones(2), "label": torch.zeros(1)}] * 4, [], seed=0)
        >>> loader = DataLoader(data, batch_size=2, sampler=SeededSampler(4, seed=0, batch_size=2))
        >>> network = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        >>> parts = (loader, network, optimizer, nn.functional.mse_loss)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for epochs in (1, 3):  # the second goes on where the first stopped
        ...         saves = [Checkpoints(folder, network, optimizer)]
        ...         Trainer("cpu", epochs, *parts, seed=0, train_handlers=saves).run()
        ...     sorted(path.stem for path in Path(folder).glob("*.pt"))
        ['iteration-000000002', 'iteration-000000004', 'iteration-000000006']
    """

    def __init__(
        self,
        directory: str | Path,
        network: nn.Module,
        optimizer: Optimizer,
        every_epochs: int = 1,
        every_iterations: int | None = None,
        share: float | None = None,
        keep_last: int = 3,
        keep_finished: int | None = None,
        keep_best: str | bool | None = None,
        best_is: Literal["max", "min"] = "max",
        best_after: int = 0,
        extra: Mapping[str, Stateful] | None = None,
    ):
        numbers = {"every_epochs": every_epochs, "keep_last": keep_last, "keep_finished": keep_finished}
        for name, value in numbers.items():
            if value is not None and value < 1:
                raise ValueError(f"checkpoints#{name} is {value}; it must be 1 or more")
        if every_iterations is not None and every_iterations < 1:
            raise ValueError(f"checkpoints#every_iterations is {every_iterations}; it must be 1 or more, or null")
        if share is not None and not 0 < share < 1:
            raise ValueError(f"checkpoints#share is {share}; it must be above 0 and below 1, such as 0.05, or null")
        self.directory = Path(directory)
        self.network, self.optimizer = network, optimizer
        self.every_epochs, self.every_iterations = every_epochs, every_iterations
        self.keep_finished, self.keep_best = keep_finished, keep_best
        self.is_better: Callable[[Any, Any], bool] = {"max": operator.gt, "min": operator.lt}[best_is]
        self.best_after = best_after
        self.extra = dict(extra or {})
        self.best: dict[str, float] = {}
        self.when_best: list[Callable[[], None]] = []
        self.share = share
        self._writer = CheckpointWriter(self.directory, keep_last)
        self._saved_at = 0
        self._next = -math.inf  # seconds of the clock from which on another may be saved
        self._new_best = False
        self._trainer: Trainer | None = None
        self._claim: IO[str] | None = None

    def attach(self, engine: Engine) -> None:
        """Save and load this trainer's state, or watch this evaluator for the best metric."""
        if isinstance(engine, Evaluator):
            engine.add_event_handler(Events.COMPLETED, self._compare)
            return
        if not isinstance(engine, Trainer):
            raise TypeError(f"Checkpoints needs a common.engines.Trainer, not {type(engine).__name__}")
        self._trainer = engine
        engine.add_event_handler(RunEvents.RESUME, self._load_newest)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._save_if_due)
        engine.add_event_handler(Events.COMPLETED, self._save_last)
        engine.add_event_handler(RunEvents.FINISHED, self._tidy)
        for handler in (self.wait, self._save_aborted, self.wait):  # each, whatever has become of the one before
            engine.add_event_handler(RunEvents.ABORTED, whatever_happens(handler))

    @property
    def best_so_far(self) -> tuple[int, float] | None:
        """Epoch and value of the best evaluation; None before the first."""
        if not self.best or self._trainer is None:
            return None
        return int(self.best["iteration"]) // self._trainer.state.epoch_length, self.best["value"]

    def files(self) -> list[Path]:
        """Checkpoints of the directory, newest first, when the one being written is there too."""
        self._writer.settle()
        return self._writer.files()

    def _save_if_due(self, engine: Trainer) -> None:
        self._writer.check()
        if not engine.between_steps:
            return
        iteration, length = engine.state.iteration, engine.state.epoch_length
        epochs, offset = divmod(iteration, length)
        due = offset == 0 and epochs > 0 and epochs % self.every_epochs == 0 and self._is_time()
        if self.every_iterations is not None:
            due |= iteration // self.every_iterations > self._saved_at // self.every_iterations
        if self._new_best or (due and iteration > self._saved_at):
            self.save(engine)

    def _is_time(self) -> bool:
        """Whether `share` allows an epoch to be saved."""
        if self.share is None:
            return True
        return time.monotonic() >= max(self._next, self._writer.free_at(min(WRITING * self.share, 1)))

    def _save_last(self, engine: Trainer) -> None:
        if self._new_best or engine.state.iteration > self._saved_at:
            self.save(engine)
        self.wait()

    def _save_aborted(self, engine: Trainer) -> None:
        """After Ctrl-C or SIGTERM between two steps nothing is lost."""
        state = engine.state
        # at the end of an epoch its validation may have been cut short: it is then trained again
        whole = state.iteration % state.epoch_length or state.epoch * state.epoch_length > state.iteration
        if engine.interruptions.received and engine.between_steps and whole and state.iteration > self._saved_at:
            self.save(engine)

    def _tidy(self) -> None:
        if self.keep_finished is not None and distributed.rank() == 0:
            self.wait()
            self._writer.drop(self.keep_finished)

    def save(self, engine: Trainer) -> None:
        """Copy the state now, to be written while training goes on; the first process alone does.

        Raises:
            CheckpointError: the file before cannot be written; the earlier checkpoints are untouched. Where this one
                cannot, the next iteration or `wait` raises it.
            NonFiniteWeights: the weights are spoilt.
        """
        begin = time.monotonic()
        if distributed.rank() == 0:
            self._refuse_spoilt()
            content = {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "trainer": dict(engine.state_dict()),
                "best": self.best,
                "extra": {name: dict(item.state_dict()) for name, item in self.extra.items()},
            }
            self._writer.write(content, engine.state.iteration, self._new_best)
        self._saved_at, self._new_best = engine.state.iteration, False  # a signal before has it saved at the end
        if self.share is not None:
            end = time.monotonic()
            self._next = end + (end - begin) * (1 / self.share - 1)

    def wait(self) -> None:
        """Return when what has been saved lies on the disk.

        Raises:
            CheckpointError: it cannot be written.
        """
        self._writer.wait()

    def _refuse_spoilt(self) -> None:
        """One pass over the weights, for which a GPU is waited for once; finite ones may still overflow its sums."""
        weights = {name: parameter.detach() for name, parameter in self.network.named_parameters()}
        if bool(norms_of([w for w in weights.values() if w.is_floating_point() or w.is_complex()]).isfinite().all()):
            return
        for name, values in weights.items():
            if not bool(values.isfinite().all()):
                raise NonFiniteWeights(name, self.directory)

    def _compare(self, engine: Evaluator) -> None:
        if not self.keep_best or self._trainer is None:
            return
        by_key_metric = self.keep_best is True
        name = engine.state.key_metric_name if by_key_metric else self.keep_best
        if name not in engine.state.metrics:
            known = ", ".join(sorted(engine.state.metrics)) or "none"
            raise CheckpointError(f"checkpoints#keep_best is {self.keep_best!r}; the evaluator's metrics are: {known}")
        value = float(engine.state.metrics[name])
        is_better = engine.metric_cmp_fn if by_key_metric else self.is_better
        if self._trainer.state.iteration < self.best_after:
            return
        if math.isfinite(value) and (not self.best or is_better(value, self.best["value"])):
            self.best = {"value": value, "iteration": self._trainer.state.iteration}
            self._new_best = True
            for call in self.when_best:
                self._writer.settle()
                call()

    def _load_newest(self, engine: Trainer) -> None:
        path, refusal = distributed.from_first(self._choose(engine) if distributed.rank() == 0 else (None, None))
        if refusal is not None:  # in every process, so that none waits for the first
            raise CheckpointError(refusal)
        if path is None:
            return
        if distributed.rank() > 0:
            self._take(path, engine)
        self.best = distributed.from_first(self.best)
        logger.info("Going on from %s: iteration %d, epoch %d.", path, engine.state.iteration, engine.state.epoch)

    def _choose(self, engine: Trainer) -> tuple[Path | None, str | None]:
        """Load the newest checkpoint that is sound and fits, if there is one; or say why the run cannot begin."""
        try:
            self._claim = claim(self.directory / LOCK)
        except OSError as error:
            return None, f"cannot write to {self.directory}: {error}. Choose another output_root"
        if self._claim is None:
            return None, f"another process is training in {self.directory}; wait for it or choose another run_name"
        finish_all()
        for folder in (self.directory, self.directory.parent):
            sweep(folder)
        best = self.directory / "best.pt"
        candidates = [path for path in (*self.files(), best) if path.is_file()]
        path, refusal = choose(candidates, lambda path: self._take(path, engine))
        if self.keep_best and self.best:
            self.best = restore_best(best, self._writer.path(int(self.best["iteration"])), self.best)
        return path, refusal

    def _take(self, path: Path, engine: Trainer) -> None:
        content = read_checkpoint(path)
        load_states(content, path, engine.state.epoch_length, self.network, self.optimizer, self.extra)
        self.best = dict(content["best"])
        engine.state.iteration = self._saved_at = content["trainer"]["iteration"]
        engine.state.epoch = engine.state.iteration // engine.state.epoch_length
