"""How networks are trained: the trainer, schedules, checkpoints and processes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .distributed import gather, local_device, norm_batch, rank, setup, teardown, world_size, wrap

if TYPE_CHECKING:
    from .batches import method_losses, whole_batch
    from .checkpoints import Checkpoints
    from .clipping import ClipGradients
    from .errors import CheckpointError, NonFiniteGradient, NonFiniteLoss, NonFiniteWeights
    from .events import RunEvents
    from .load_weights import WeightsCheckpointLoader
    from .provenance import commit
    from .save_encoder import SaveEncoder
    from .schedules import ApplySchedules, Cosine, FreezeLastLayer, UpdateTeacher, parameter_groups
    from .speed import Reading, Speed
    from .start_from import StartFrom
    from .steps import epochs_for
    from .trainer import Trainer

# These import Ignite or MONAI, which take seconds; commands that only ask for a rank do without.
LAZY = {
    "ApplySchedules": "schedules",
    "CheckpointError": "errors",
    "Checkpoints": "checkpoints",
    "ClipGradients": "clipping",
    "Cosine": "schedules",
    "FreezeLastLayer": "schedules",
    "WeightsCheckpointLoader": "load_weights",
    "NonFiniteGradient": "errors",
    "NonFiniteLoss": "errors",
    "NonFiniteWeights": "errors",
    "Reading": "speed",
    "RunEvents": "events",
    "SaveEncoder": "save_encoder",
    "Speed": "speed",
    "StartFrom": "start_from",
    "Trainer": "trainer",
    "UpdateTeacher": "schedules",
    "commit": "provenance",
    "epochs_for": "steps",
    "method_losses": "batches",
    "parameter_groups": "schedules",
    "whole_batch": "batches",
}

__all__ = [
    "ApplySchedules",
    "CheckpointError",
    "Checkpoints",
    "ClipGradients",
    "Cosine",
    "FreezeLastLayer",
    "NonFiniteGradient",
    "NonFiniteLoss",
    "NonFiniteWeights",
    "Reading",
    "RunEvents",
    "SaveEncoder",
    "Speed",
    "StartFrom",
    "Trainer",
    "UpdateTeacher",
    "WeightsCheckpointLoader",
    "commit",
    "epochs_for",
    "gather",
    "local_device",
    "method_losses",
    "norm_batch",
    "parameter_groups",
    "rank",
    "setup",
    "teardown",
    "whole_batch",
    "world_size",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
