"""Say when a branch of a method teaches nothing."""

import logging
import math

from ignite.engine import Events
from torch import Tensor

from ..engines import Trainer, rank

logger = logging.getLogger(__name__)
LEAST = 0.005
"""Of what codes could tell of images: ACE's small network at a rate of 1e-3 had 0.011 after twenty steps and kept it,
and fell to 0.0007 within fifty while its centre lagged behind the teacher; see docs/learning.md."""
BEGINNING = 50
"""Steps that are not judged: a teacher of few steps still is a random network, and a rate that warms up is near 0."""


class TellCollapse:
    """Handler of a trainer: a line when, over an epoch, codes tell next to nothing of the images they are made from.

    Such a branch has collapsed, or has not begun to learn: it teaches nothing, while the total falls by the others. Its
    own loss may be high, where all codes are equally likely, or low, where all images get the same one. It is told
    once, so is that it has recovered, and a collapse after that is told again. Epochs that end within the first fifty
    steps of the optimiser are not judged, nor is the first one of all. A resumed run tells anew what still holds.

    Args:
        branch: what it is called by, such as the name of its loss.
        part: of `state.losses`, a share such as `CentredDistillation.told_apart`.

    Example:
        >>> handler = TellCollapse("global")
    """

    def __init__(self, branch: str, part: str = "told_apart"):
        self.branch, self.part = branch, part
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
        value = engine.state.losses.get(self.part)
        if value is not None:
            self._sum = value if self._sum is None else self._sum + value  # on its device: reading it would wait
            self._count += 1

    def _judge(self, engine: Trainer) -> None:
        begun = engine.state.epoch > 1 and engine.state.iteration > BEGINNING * engine.accumulation_steps
        if self._sum is None or not begun:
            return
        mean = float(self._sum) / self._count
        if not math.isfinite(mean):  # told by who watches the loss
            return
        collapsed = mean < LEAST
        if collapsed and not self._told:
            logger.warning(
                "epoch %d: the codes of the %s loss tell %.2g of what they could of their images: this part has "
                "collapsed or has not begun to learn, and teaches nothing. Fewer codes, a centre that lags less, a "
                "lower learning rate or more images may help.",
                engine.state.epoch,
                self.branch,
                mean,
            )
        if self._told and not collapsed:
            logger.info(
                "epoch %d: the codes of the %s loss tell their images apart (%.2g): this part teaches now.",
                engine.state.epoch,
                self.branch,
                mean,
            )
        self._told = collapsed
