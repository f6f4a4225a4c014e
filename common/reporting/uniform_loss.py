"""Say when a loss has come to where nothing is told from anything."""

import logging

from ignite.engine import Events
from torch import Tensor

from ..engines import Trainer, rank

logger = logging.getLogger(__name__)
NEAR = 0.97  # of the uniform loss: ACE's small preset begins at 0.96 of it, and stays at 0.974 once it has collapsed


class TellUniform:
    """Handler of a trainer: a line when a loss is, over an epoch, that of codes or candidates that are equally likely.

    Such a branch has collapsed, or has not begun to learn: it teaches nothing, while the total falls by the others. It
    is told once, and again when the loss had left that value in between. The first epoch is not judged: a loss may
    begin there.

    Args:
        loss: its name in `state.losses`.
        uniform: its value where everything is equally likely, such as log K for K codes.

    Example:
        >>> import math
        >>> handler = TellUniform("global", math.log(4096))
    """

    def __init__(self, loss: str, uniform: float):
        self.loss, self.uniform = loss, uniform
        self._sum: Tensor | None = None
        self._count = 0
        self._told = False

    def attach(self, engine: Trainer) -> None:
        """Watch this training, on the first process."""
        if rank() == 0:
            engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._judge)

    def _begin(self) -> None:
        self._sum, self._count = None, 0

    def _add(self, engine: Trainer) -> None:
        value = engine.state.losses.get(self.loss)
        if value is not None:
            self._sum = value if self._sum is None else self._sum + value  # on its device: reading it would wait
            self._count += 1

    def _judge(self, engine: Trainer) -> None:
        if self._sum is None or engine.state.epoch == 1:
            return
        mean = float(self._sum) / self._count
        collapsed = mean >= NEAR * self.uniform
        if collapsed and not self._told:
            logger.warning(
                "epoch %d: the %s loss is %.3g of %.3g, as if everything were equally likely: this part has collapsed "
                "or has not begun to learn, and teaches nothing. A lower learning rate, a longer warm-up or more "
                "images may help.",
                engine.state.epoch,
                self.loss,
                mean,
                self.uniform,
            )
        self._told = collapsed
