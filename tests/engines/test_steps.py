import pytest

from common.engines import epochs_for, steps


@pytest.mark.parametrize(("images", "batch", "processes"), [(12, 4, 1), (13, 4, 1), (3, 8, 1), (24, 4, 2), (25, 4, 2)])
def test_so_many_steps_are_taken_and_an_epoch_less_would_be_too_short(monkeypatch, images, batch, processes):
    monkeypatch.setattr(steps, "world_size", lambda: processes)
    per_epoch = len(range(0, images, batch * processes))
    epochs = epochs_for(100, images, batch)
    assert (epochs - 1) * per_epoch < 100 <= epochs * per_epoch


def test_no_step_no_image_and_no_batch_are_refused_by_name():
    for name, values in {"steps": (0, 1, 1), "images": (1, 0, 1), "batch_size": (1, 1, 0)}.items():
        with pytest.raises(ValueError, match=f"{name} is 0"):
            epochs_for(*values)
