"""What trainings are compared by, as their objects hold it."""

from typing import Any

import torch
from torch import nn

from ..engines import Trainer, world_size


def of_training(trainer: Trainer) -> dict[str, Any]:
    """Values of a training by name; what is not known is left out.

    `batch` is that of one step of the optimiser: of all processes and accumulated iterations together. `learning_rate`
    and `weight_decay` are those the optimiser was made with, from which schedules start.
    """
    state, optimizer = trainer.state, trainer.optimizer
    batch = getattr(trainer.data_loader, "batch_size", None)
    loss = trainer.loss_function
    values = {
        "epochs": state.max_epochs,
        "iterations_per_epoch": state.epoch_length,
        "seed": state.seed,
        "processes": world_size(),
        "batch": batch and batch * trainer.accumulation_steps * world_size(),
        "optimizer": type(optimizer).__name__,
        "learning_rate": optimizer.defaults.get("lr"),
        "weight_decay": optimizer.defaults.get("weight_decay"),
        "loss": type(loss).__name__ if isinstance(loss, nn.Module) else None,
        "precision": str(trainer.amp_dtype or torch.float32).removeprefix("torch."),
        "device": torch.device(state.device).type,
        **of_network(trainer.network),
    }
    return {name: value for name, value in values.items() if value is not None}


def of_network(network: Any) -> dict[str, Any]:
    """What the first encoder of a network says of itself; nothing where there is none."""
    modules = network.modules() if isinstance(network, nn.Module) else ()
    for module in modules:
        described: Any = getattr(module, "description", None)
        if hasattr(described, "architecture"):  # a `common.networks.EncoderDescription`
            return {
                "architecture": described.architecture,
                "image_size": described.image_size,
                "channels": described.in_channels,
            }
    return {}
