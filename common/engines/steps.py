"""Length of a training in optimiser steps, where epochs are too short to count by."""

import math

from .distributed import world_size


def epochs_for(steps: int, images: int, batch_size: int) -> int:
    """Epochs that take at least so many optimiser steps.

    Args:
        steps: 1 or more.
        images: of an epoch, over all processes.
        batch_size: of one process; the last batch of an epoch may be smaller.

    Raises:
        ValueError: one of them is below 1.

    Example:
        >>> epochs_for(600, images=12, batch_size=4)
        200
    """
    for name, value in (("steps", steps), ("images", images), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")
    return math.ceil(steps / math.ceil(images / (batch_size * world_size())))
