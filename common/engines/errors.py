"""Errors that stop a run, with what to do about them."""

from pathlib import Path


class NonFiniteLoss(RuntimeError):  # noqa: N818  (named for what it reports)
    """The loss of a batch is infinite or not a number; no weight has been updated with it."""

    def __init__(self, losses: dict[str, float], iteration: int, files: list[str]):
        parts = ", ".join(f"{name} = {value:g}" for name, value in losses.items())
        shown = ", ".join(files[:64]) + (f" and {len(files) - 64} more" if len(files) > 64 else "")
        super().__init__(
            f"non-finite loss in iteration {iteration} ({parts}). Files of the batch in this process: "
            f"{shown or 'unknown, since the batch has no `source`'}. "
            "Look at these files; if they are sound, lower the learning rate or train#trainer#clip#max_norm, "
            "or set amp_dtype to null."
        )


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written, or does not fit the run that wants to continue from it."""


class NonFiniteWeights(CheckpointError):  # noqa: N818  (likewise)
    """The network holds infinite or not-a-number weights and is therefore not saved."""

    def __init__(self, parameter: str, directory: Path):
        super().__init__(
            f"the weights of {parameter} are not finite, so they are not saved; the checkpoints in {directory} are "
            "from before. Lower the learning rate or train#trainer#clip#max_norm; the same command then continues "
            "from the last checkpoint."
        )
