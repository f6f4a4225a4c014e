"""Length of a training in optimiser steps, where epochs are too short to count by."""

import math


def epochs_for(steps: int, iterations: int, accumulation_steps: int = 1) -> int:
    """Epochs that take at least so many optimiser steps, and one less would not.

    Args:
        steps: 1 or more.
        iterations: of an epoch, as `len` of the data loader that trains says; it knows of processes, and of a last
            batch that is left out.
        accumulation_steps: iterations per step; the last step of an epoch may have fewer.

    Raises:
        ValueError: one of them is below 1.

    Example:
        >>> epochs_for(600, iterations=3)
        200
    """
    for name, value in (("steps", steps), ("iterations", iterations), ("accumulation_steps", accumulation_steps)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")
    return math.ceil(steps / math.ceil(iterations / accumulation_steps))
