import pytest
import torch

from common.engines import Trainer, epochs_for
from common.images import SeededDataset
from common.sampling import seeded_loader


def trained(images, batch, accumulation=1, steps=10):
    """How many steps a training takes that is to take some, and how many an epoch has."""
    data = SeededDataset([{"image": torch.ones(2), "label": torch.zeros(1)}] * images, [], seed=0)
    loader = seeded_loader(data, batch_size=batch, seed=0, num_workers=0)
    network, taken = torch.nn.Linear(2, 1), []
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: taken.append(1))
    epochs = epochs_for(steps, len(loader), accumulation)
    trainer = Trainer(
        "cpu", epochs, loader, network, optimizer, torch.nn.functional.mse_loss, accumulation_steps=accumulation, seed=0
    )
    trainer.run()
    return len(taken), len(taken) // epochs


@pytest.mark.parametrize(("images", "batch", "accumulation"), [(12, 4, 1), (15, 8, 1), (31, 16, 1), (13, 4, 2)])
def test_so_many_steps_are_taken_and_an_epoch_less_would_be_too_short(images, batch, accumulation):
    taken, per_epoch = trained(images, batch, accumulation)  # where the last batch is not whole it is left out
    assert taken - per_epoch < 10 <= taken


def test_no_step_and_no_iteration_are_refused_by_name():
    for name, values in {"steps": (0, 1), "iterations": (1, 0), "accumulation_steps": (1, 1, 0)}.items():
        with pytest.raises(ValueError, match=f"{name} is 0"):
            epochs_for(*values)
