"""MLflow tracking of a bundle, on by default."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..command import current_stage, merged_config
from ..command.credentials import without_credentials
from ..command.run_files import write_run_files
from ..engines import RunEvents, Trainer, rank
from ..engines.events import whatever_happens
from ..records import Corpus
from . import data_note, flatten
from .paced_figures import PacedFigures
from .parent import ParentRun
from .points import Points
from .run_note import RunNote, digest
from .run_tags import description, labels, run_tags
from .store import RunStore
from .system_metrics import SystemMetrics
from .tracked_engines import TrackedEngines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)
CONFIG_DIGEST = "config.digest"
COUNTS = ("undefined_classes",)
"""What a report says beside its measurements; `evaluation.json` has it."""


class Tracking:
    """One MLflow run per training, for the trainer and its evaluator alike.

    It speaks to MLflow's client itself. MONAI's `MLFlowHandler` writes each number by itself, takes over any
    unfinished run of the experiment, knows one optimiser value per handler, has no notion of failure, and cannot go
    on with a given run; little of it would be left in a subclass.

    The same object goes into `train#handlers` and `validate#handlers`. The evaluator's metrics are logged at the
    trainer's iteration, as `validation/...`. A run that goes on from a checkpoint goes on in MLflow, and steps logged
    before are left as they are. The runs of a command's stages are nested below one that bears the command's name.
    Without a trainer, an evaluator's run is a run of its own, whose metrics are called by the split it judges, such as
    `test/dice`; the run of the training has them too. Processes other than the first log nothing. Passwords and tokens
    in addresses and settings are tracked nowhere.

    The parameters are those that runs are compared by; the whole config is the artifact `config.yaml`.

    Args:
        experiment: one per bundle.
        run_name: a new run whose name is taken gets `-2`, `-3`, ... .
        directory: the output root: holds `mlflow.db`, `artifacts/` and, for this run, `experiment/run_name/`.
        uri: tracking server; `MLFLOW_TRACKING_URI` goes first, and without either it is the SQLite file.
        params: hyper-parameters by name, besides those that the trainer, its optimiser and its encoder tell; null ones
            are left out.
        corpus: its name, size, fingerprint and choices are logged. What of it is trained on and validated by is counted
            in the engines' data loaders: tags and data sets of the run, and `data.json` in its folder.
        config: the merged config; None rebuilds that of the command.
        every: iterations between two points of losses, schedules and speed; the first iteration and the last one of
            each epoch are logged besides.
        training: folder of the run whose weights an evaluation by itself judges; its run shows the numbers as well,
            and the evaluation's is nested below it.
        system_metrics: seconds between two looks at processor, memory and GPUs (`system/...`); None takes none.
    """

    def __init__(
        self,
        experiment: str,
        run_name: str,
        directory: str | Path = "runs",
        uri: str | None = None,
        params: Mapping[str, Any] | None = None,
        corpus: "Corpus | None" = None,
        config: Mapping[str, Any] | None = None,
        every: int = 10,
        training: str | Path | None = None,
        system_metrics: float | None = None,
    ):
        if every < 1:
            raise ValueError(f"tracking#every is {every}; it must be 1 or more")
        self.run_name, self.every = str(run_name), every
        self.params = without_credentials(dict(params or {}))
        self.config = without_credentials(dict(config) if config is not None else merged_config() or {})
        self.store = RunStore(uri, Path(directory), experiment)
        self.note = RunNote(Path(directory) / experiment / self.run_name)
        self.data_note = data_note.DataNote(Path(directory) / experiment / self.run_name)
        stage = current_stage()
        self._parent: ParentRun | None = None
        if stage is not None:
            self._parent = ParentRun(RunStore(uri, Path(directory), experiment), stage, Path(directory) / experiment)
        self.engines = TrackedEngines(corpus)
        self._from_checkpoint: str | None = None
        self._judged = None if training is None else RunNote(Path(training))
        self._judged_id: str | None = None
        self._is_open = False
        self._points, self._figures = Points(), PacedFigures()
        self._system = SystemMetrics(system_metrics)

    def attach(self, engine: Engine) -> None:
        """Track this trainer or evaluator."""
        if rank() > 0:
            return
        if isinstance(engine, Trainer):
            self.engines.trainer = engine
            engine.add_event_handler(Events.STARTED, self._open)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._log_iteration)
            engine.add_event_handler(RunEvents.FINISHED, self._close, "FINISHED")
            engine.add_event_handler(RunEvents.FINISHED_BEFORE, self._mark_finished)
            engine.add_event_handler(RunEvents.ABORTED, whatever_happens(self._abort))
        elif isinstance(engine, Evaluator):
            self.engines.evaluator = engine
            engine.add_event_handler(Events.STARTED, self._open)
            engine.add_event_handler(Events.COMPLETED, self._log_metrics)
            engine.add_event_handler(Events.EXCEPTION_RAISED, self._evaluator_raised)
        else:
            raise TypeError(
                f"Tracking needs a common.engines.Trainer or a MONAI evaluator, not {type(engine).__name__}"
            )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: the run to go on with."""
        return {"run_id": self.store.run_id}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the checkpoint's run."""
        self._from_checkpoint = state["run_id"]

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log numbers, nested or not, by name.

        Args:
            metrics: numbers, tensors or mappings of them.
            step: by default the trainer's iteration.
        """
        if rank() == 0:
            self._ensure()
            self.store.log(flatten.metrics(metrics), self._step if step is None else step)

    def log_figure(self, name: str, figure: "Figure", step: int | None = None) -> None:
        """Keep a figure as the artifact `figures/<name>-<step>.png`.

        Args:
            name: may hold slashes.
            figure: of matplotlib; not shown or closed here.
            step: by default the trainer's iteration.
        """
        if rank() == 0:
            self._ensure()
            path = f"figures/{name}-{self._step if step is None else step:09d}.png"
            self.store.keep("log_figure", figure, path)

    def offer_figure(self, name: str, draw: "Callable[[], Figure]") -> None:
        """Keep a figure of now, drawn when the training can spare the time: see `PacedFigures`.

        Args:
            name: as of `log_figure`.
            draw: draws it, from what does not change and takes little memory.
        """
        if rank() == 0:
            step = self._step
            self._figures.offer(name, lambda: self.log_figure(name, draw(), step))
            if self.engines.trainer is None:
                self._figures.finish()

    def log_artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Keep a file as an artifact.

        Args:
            path: of the file.
            folder: among the artifacts.
        """
        if rank() == 0:
            self._ensure()
            self.store.keep("log_artifact", str(path), folder)

    @contextmanager
    def whole_run(self) -> Iterator[None]:
        """A run of no engine, such as an analysis: opened and closed, as failed where an error leaves it."""
        if rank() > 0:
            yield
            return
        self._open()
        try:
            yield
        except BaseException as error:
            whatever_happens(self._close)(_status(error))
            raise
        self._close("FINISHED")

    def where_to_look(self) -> list[str]:
        """For a person: the command that serves the curves where they are in a file, and the page that shows them."""
        run = self.store.run_id or self._from_checkpoint
        experiment = self.store.experiment_id or self.store.experiment_of(run)
        page = f"/#/experiments/{experiment}/runs/{run}" if experiment and run else "/#/experiments"
        page += "?workflowType=machine_learning"  # MLflow opens as a tool for language models otherwise
        if self.store.uri != self.store.local_uri:
            return [self.store.address.rstrip("/") + page]
        return [f"mlflow ui --backend-store-uri {self.store.shown_uri}", f"http://127.0.0.1:5000{page}"]

    @property
    def _step(self) -> int:
        return self.engines.step

    def _ensure(self) -> None:
        """Have a run to write to; one that is closed already takes late figures without opening again."""
        if self.store.run_id is None:
            self._open()

    def _open(self) -> None:
        if self._is_open:
            return
        self._is_open = True
        if self.store.run_id is not None:  # another round of the same engine, as in federated learning
            self.store.reopen()
            self._system.start(self.store)
            return
        if self.engines.trainer is not None and self.config:
            write_run_files(self.note.path.parent, self.config)
        config = flatten.params(self.config)
        remembered = self.note.read(self.store.address, config) if self.engines.trainer is not None else None
        if remembered is not None and self.store.status(remembered) == "FINISHED":
            remembered = None
        parent = self._parent.open(self._from_checkpoint is not None) if self._parent is not None else None
        if self.engines.trainer is None and self._judged is not None:
            self._judged_id = self.store.known(self._judged.run_id())
            parent = self._judged_id or parent
        continued = self.store.open(self.run_name, [self._from_checkpoint, remembered], parent)
        if self.engines.trainer is not None:
            self.note.write(self.store.id, self.store.address, config)
        params, tags = self.engines.described(self.params), run_tags() | {CONFIG_DIGEST: digest(config)}
        known = self.store.data() if continued else None
        new = {name: value for name, value in params.items() if known is None or name not in known.params}
        if known is None:
            tags |= description()
        self.store.log(params=new, tags=tags | self._data_tags() | labels(params))
        self.store.inputs(self.engines.inputs())
        if self.config and (known is None or known.tags.get(CONFIG_DIGEST) != tags[CONFIG_DIGEST]):
            name = "config.yaml" if known is None else f"config-{self._step:09d}.yaml"
            self.store.keep("log_dict", self.config, name)
        self._system.start(self.store)
        if self.engines.trainer is not None:  # after the others of this event, one of which writes a checkpoint
            self.engines.trainer.add_event_handler(RunEvents.ABORTED, whatever_happens(self._figures.finish))
        logger.info("Tracked as %s in %s.", self.run_name, self.store.address)

    def _data_tags(self) -> dict[str, str]:
        return self.engines.data_tags(self.data_note, goes_on=self._from_checkpoint is not None)

    def _log_iteration(self, engine: Trainer) -> None:
        state = engine.state
        if state.iteration % self.every and state.iteration % state.epoch_length and state.iteration != 1:
            return
        self.store.log(self._points.of(engine), state.iteration)

    def _log_metrics(self, engine: Engine) -> None:
        role = self.engines.role(engine)
        measured = {f"{role}/{name}": value for name, value in engine.state.metrics.items() if name not in COUNTS}
        self.log_metrics(measured)
        if self.engines.trainer is None:
            if self._judged_id is not None:
                self.store.add(self._judged_id, flatten.metrics(measured), self._data_tags())
            self._close("FINISHED")

    def _evaluator_raised(self, _engine: Engine, error: BaseException) -> None:
        if self.engines.trainer is None:
            whatever_happens(self._close)(_status(error))
        raise error

    def _abort(self, engine: Trainer) -> None:
        interrupted = engine.interruptions.received is not None
        self._close("KILLED" if interrupted else _status(engine.state.error))

    def _mark_finished(self) -> None:
        """A run killed between its last checkpoint and the end of its tracking is still marked as running."""
        if self._from_checkpoint is not None and self.store.status(self._from_checkpoint) == "RUNNING":
            self.store.open(self.run_name, [self._from_checkpoint])
            self.store.close("FINISHED")
            if self._parent is not None:
                self._parent.open(goes_on=True)
                self._parent.close("FINISHED")

    def _close(self, status: str) -> None:
        """Mark the run; one that has been marked as finished already may still fail in a handler after this one."""
        if self.store.run_id is not None and (self._is_open or status != "FINISHED"):
            self._is_open = False
            if status == "FINISHED":
                self._figures.finish()
            self._system.stop()
            self.store.close(status)
            if self._parent is not None:
                self._parent.close(status)


def _status(error: BaseException) -> str:
    return "FAILED" if isinstance(error, Exception) else "KILLED"
