"""Errors that stop a run, with what to do about them."""

from pathlib import Path


class NonFiniteLoss(RuntimeError):  # noqa: N818  (named for what it reports)
    """The loss of a batch is infinite or not a number; no weight has been updated with it."""

    def __init__(self, losses: dict[str, float], iteration: int, files: list[str]):
        parts = ", ".join(f"{name} = {value:g}" for name, value in losses.items())
        super().__init__(f"non-finite loss in iteration {iteration} ({parts}). {_advice(files)}")


class NonFiniteGradient(RuntimeError):  # noqa: N818  (likewise)
    """The loss is finite and its gradient is not; no weight has been updated with it."""

    def __init__(self, parameters: list[str], iteration: int, files: list[str]):
        more = f" and {len(parameters) - 4} more" if len(parameters) > 4 else ""
        what = f"the gradient of {', '.join(parameters[:4])}{more} is not finite" if parameters else "a norm overflows"
        super().__init__(f"finite losses with non-finite gradients in iteration {iteration}: {what}. {_advice(files)}")


def _advice(files: list[str]) -> str:
    shown = ", ".join(files[:64]) + (f" and {len(files) - 64} more" if len(files) > 64 else "")
    return (
        f"Files of the batch in this process: {shown or 'unknown, since the batch has no `source`'}. "
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
