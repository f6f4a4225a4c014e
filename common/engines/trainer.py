"""One trainer for all bundles."""

import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from ignite.metrics import Metric
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents, default_metric_cmp_fn, default_prepare_batch
from monai.handlers import ValidationHandler
from monai.inferers import Inferer
from monai.utils import CommonKeys as Keys
from monai.utils import get_seed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from . import distributed, joint_end
from .batches import detached, method_losses, positionable_sampler, whole_batch
from .clipping import ClipGradients, norms_of
from .events import RunEvents
from .guard import NonFiniteGuard
from .interruptions import Interruptions
from .named_losses import averaged, by_name, means
from .speed import Speed

logger = logging.getLogger(__name__)


class Trainer(SupervisedTrainer):
    """MONAI's supervised trainer with what pre-training needs besides.

    - bfloat16 autocast on the device's own type, CPU too (MONAI's is for CUDA only);
    - accumulation whose steps equal those of the larger batch, the shorter last window of an epoch included;
    - gradient clipping; named losses; a loss or a gradient that is not finite stops the run before the weights are
      changed and names the files;
    - the global random generators are set from (seed, iteration, rank) in every iteration and the sampler's position
      from the iteration in every epoch. A resumed run needs no saved generator to go on exactly, and validation in
      between changes nothing. Data sets take their randomness from the sampler's keys, never from global generators;
    - Ctrl-C and SIGTERM wait for the end of the step, and several processes end after the same one; a run that raises
      leaves the process group.

    Events fire in MONAI's order; `RunEvents` adds its own. `state.losses` holds the losses of the last iteration by
    name, averaged over processes, and while `LOSS_COMPLETED` fires `state.terms` this process's with their graphs;
    `state.output` is a list of dictionaries as MONAI's handlers expect.

    Args:
        device: where batches go.
        max_epochs: of the whole run.
        train_data_loader: its sampler is positioned where it has `set_position(epoch, offset)`.
        network: moved to the device and, with several processes, wrapped (`wrap`).
        optimizer: of the network's parameters.
        loss_function: of outputs and targets; returns a tensor, or losses by name, of which `loss` is differentiated.
            None for a pre-training method, which takes the whole batch and returns its losses itself.
        epoch_length: iterations per epoch, by default all batches of the loader.
        non_blocking: copy batches from pinned memory without waiting.
        prepare_batch: MONAI's way to make (inputs, targets) of a batch; None is MONAI's default, and `whole_batch`
            where there is no loss function.
        inferer: MONAI's way to call the network.
        postprocessing: transforms of the output after each iteration.
        key_train_metric: metric of the training images by name, the first one MONAI remembers the best of.
        additional_metrics: further metrics by name.
        metric_cmp_fn: says whether a metric is better than another.
        train_handlers: objects with `attach(engine)`.
        decollate: take batches apart after each iteration, as MONAI's postprocessing transforms and metrics want it.
        amp_dtype: `torch.bfloat16` or its name for mixed precision, None for full precision.
        clip: applied to the gradients before each step.
        accumulation_steps: iterations per step of the optimiser, 1 or more.
        seed: of dropout and whatever else is random in the network; None takes the one of `set_determinism`.

    Raises:
        ValueError: an argument that cannot work, named in the message.

    Example:
        >>> from common.images import SeededDataset
        >>> from common.sampling import SeededSampler
        >>> data = SeededDataset([{"image": torch.ones(2), "label": torch.zeros(1)}] * 4, [], seed=0)
        >>> loader = DataLoader(data, batch_size=2, sampler=SeededSampler(4, seed=0, batch_size=2))
        >>> network = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        >>> trainer = Trainer("cpu", 3, loader, network, optimizer, nn.functional.mse_loss, seed=0)
        >>> trainer.run()
        >>> trainer.state.iteration, list(trainer.state.losses)
        (6, ['loss'])
    """

    def __init__(
        self,
        device: str | torch.device,
        max_epochs: int,
        train_data_loader: Iterable | DataLoader,
        network: nn.Module,
        optimizer: Optimizer,
        loss_function: Callable[[Any, Any], Tensor | Mapping[str, Tensor]] | None = None,
        epoch_length: int | None = None,
        non_blocking: bool = True,
        prepare_batch: Callable | None = None,
        inferer: Inferer | None = None,
        postprocessing: Callable | None = None,
        key_train_metric: dict[str, Metric] | None = None,
        additional_metrics: dict[str, Metric] | None = None,
        metric_cmp_fn: Callable = default_metric_cmp_fn,
        train_handlers: Sequence | None = None,
        decollate: bool = False,
        amp_dtype: torch.dtype | str | None = None,
        clip: ClipGradients | None = None,
        accumulation_steps: int = 1,
        seed: int | None = None,
    ):
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            train_data_loader=train_data_loader,  # type: ignore[arg-type]
            network=distributed.wrap(network, device),
            optimizer=optimizer,
            loss_function=loss_function or method_losses,
            epoch_length=epoch_length,
            non_blocking=non_blocking,
            prepare_batch=prepare_batch or (default_prepare_batch if loss_function else whole_batch),
            inferer=inferer,
            postprocessing=postprocessing,  # type: ignore[arg-type]
            key_train_metric=key_train_metric,
            additional_metrics=additional_metrics,
            metric_cmp_fn=metric_cmp_fn,
            event_names=[RunEvents],
            decollate=decollate,
            optim_set_to_none=True,
            accumulation_steps=accumulation_steps,
        )
        self.clip = clip
        self.guard = NonFiniteGuard(self.state, network, optimizer)
        self.amp_dtype = _amp_dtype(amp_dtype)
        self.sampler = positionable_sampler(train_data_loader, self.state.epoch_length)
        self.state.seed = (get_seed() or 0) if seed is None else seed
        self.state.losses, self.state.terms, self.state.schedules = {}, {}, {}
        self.interruptions = Interruptions()
        self._resumed = False
        self.passed_over: str | None = None
        """What to say of a finished run that others follow, such as a stage, in place of a warning."""

        self.add_event_handler(Events.EPOCH_STARTED, self._position_sampler)
        self.add_event_handler(Events.ITERATION_STARTED, self._begin_iteration)
        self.add_event_handler(Events.GET_BATCH_STARTED, self._heed_signals, validated=True)
        self.add_event_handler(Events.EPOCH_COMPLETED, self._heed_signals, validated=False)
        self.add_event_handler(Events.EXCEPTION_RAISED, _raise)  # some handlers listen and would swallow it
        self._handlers = list(train_handlers or [])
        self._register_handlers(self._handlers)
        self.speed = Speed()
        self.speed.attach(self)  # after the others, so that a checkpoint written between two batches is no data wait

    @property
    def between_steps(self) -> bool:
        """Whether no gradient is accumulated and no iteration is under way, so that the state is whole."""
        return not self.interruptions.shielded and not self._accumulating

    @property
    def finished(self) -> bool:
        """Whether all iterations of the run are done."""
        return self.state.iteration >= self.state.max_epochs * self.state.epoch_length

    def run(self) -> None:  # type: ignore[override]
        """Train, from the newest checkpoint where a handler loads one, to the end; a finished run says so."""
        if self.state.epoch_length is None:
            raise ValueError("the data loader has no length; give train#trainer#epoch_length")
        with self.interruptions:
            try:
                self._train()
            except BaseException as error:
                self.state.error = error
                self.fire_event(RunEvents.ABORTED)
                joint_end.leave_last()
                distributed.teardown()
                end = self.interruptions.consequence(error)
                if end is error:
                    raise
                raise end from error

    def _train(self) -> None:
        if not self._resumed:
            self._resumed = True
            self.fire_event(RunEvents.RESUME)
            self._skip_validation_at_start()
        if self.finished and self.state.epoch_length:
            if self.passed_over is not None:
                logger.info("%s", self.passed_over)
            else:
                logger.warning(
                    "This run is finished: %d of %d epochs are done. Nothing is trained. "
                    "To go on: more epochs and --resume True. For a new run: another --run_name.",
                    self.state.epoch,
                    self.state.max_epochs,
                )
            self.fire_event(RunEvents.FINISHED_BEFORE)
            return
        super().run()
        self.fire_event(RunEvents.FINISHED)

    def _iteration(self, engine: "Trainer", batchdata: Any) -> Any:  # type: ignore[override]
        """Train on one batch."""
        state = engine.state
        prepared = engine.prepare_batch(batchdata, state.device, engine.non_blocking, **engine.to_kwargs)
        inputs, targets, args, kwargs = prepared if len(prepared) == 4 else (*prepared, (), {})
        start, window = self._window(state.iteration - 1)
        last = state.iteration == start + window

        engine.network.train()
        if state.iteration == start + 1:
            engine.optimizer.zero_grad(set_to_none=engine.optim_set_to_none)
        state.output = {Keys.IMAGE: inputs, Keys.LABEL: targets}
        distributed_network = isinstance(engine.network, DistributedDataParallel)
        with engine.network.no_sync() if distributed_network and not last else nullcontext():  # type: ignore[operator]
            with torch.autocast(state.device.type, self.amp_dtype, enabled=self.amp_dtype is not None):
                outputs = engine.inferer(inputs, engine.network, *args, **kwargs)
                state.output[Keys.PRED] = outputs
                engine.fire_event(IterationEvents.FORWARD_COMPLETED)
                terms = by_name(engine.loss_function(outputs, targets))
                losses = means(terms)
            state.losses = averaged(losses)
            state.output = {**state.output, **state.losses}
            state.terms = terms
            try:
                engine.fire_event(IterationEvents.LOSS_COMPLETED)
            finally:
                state.terms = terms = {}  # and their graphs
            (losses[Keys.LOSS] / window).backward()
        state.output[Keys.PRED] = detached(outputs)
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        self.guard.check(losses, state.losses, batchdata, self._clipped() if last else None)
        if last:
            engine.optimizer.step()
            engine.fire_event(RunEvents.STEPPED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return [state.output] if isinstance(state.output, dict) else state.output

    def _window(self, index: int) -> tuple[int, int]:
        """First iteration, from 0, and length of the accumulation window an iteration lies in."""
        epoch, position = divmod(max(index, 0), self.state.epoch_length)
        first = position - position % self.accumulation_steps
        return epoch * self.state.epoch_length + first, min(self.accumulation_steps, self.state.epoch_length - first)

    @property
    def _accumulating(self) -> bool:
        """Whether the iterations done do not yet make a whole step."""
        start, size = self._window(self.state.iteration - 1)
        return self.state.iteration not in (0, start + size)

    def _clipped(self) -> Tensor:
        """Clip the gradients if need be; returns the norms that they had."""
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        if self.clip is not None:
            return self.clip(trained)
        return norms_of([p.grad for p in trained if p.grad is not None])

    def _skip_validation_at_start(self) -> None:
        """MONAI's `exec_at_start` means the start of training; a run that goes on in mid-epoch would validate there."""
        for handler in self._handlers if self.state.iteration else ():
            if isinstance(handler, ValidationHandler) and self.has_event_handler(handler, Events.STARTED):
                self.remove_event_handler(handler, Events.STARTED)

    def _position_sampler(self) -> None:
        if self.sampler is not None:
            self.sampler.set_position(self.state.epoch - 1, self.state.iteration % self.state.epoch_length)

    def _heed_signals(self, validated: bool) -> None:
        if not self._accumulating:
            self.interruptions.check(self.state.iteration, validated)

    def _begin_iteration(self) -> None:
        self.interruptions.shield()
        words = np.random.SeedSequence((self.state.seed, self.state.iteration, distributed.rank())).generate_state(1)
        seed = int(words[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)


def _amp_dtype(amp_dtype: torch.dtype | str | None) -> torch.dtype | None:
    if amp_dtype not in (None, torch.bfloat16, "bfloat16"):
        raise ValueError(
            f"amp_dtype is {amp_dtype}; it must be bfloat16 or null; bfloat16 runs on CPU and GPU without loss scaling"
        )
    return None if amp_dtype is None else torch.bfloat16


def _raise(error: BaseException) -> None:
    raise error
