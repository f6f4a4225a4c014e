import signal

import pytest
import torch
from torch.utils.data import DataLoader
from toy_bundle.scripts.children import exit_code, in_child, newest, points, query, train_in_child
from toy_bundle.scripts.toy import Die, Method, Noise

from common.engines import (
    ApplySchedules,
    Checkpoints,
    Cosine,
    Trainer,
    UpdateTeacher,
    method_losses,
    parameter_groups,
    whole_batch,
)
from common.sampling import SeededSampler

STEPS = 24  # 3 epochs of 8 iterations; a checkpoint every 3 iterations and after every epoch


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, mlflow_template):
    root = tmp_path_factory.mktemp("uninterrupted")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    assert train_in_child(root) == 0
    return newest(root), points(root)


def die_and_go_on(root, uninterrupted, **override):
    assert train_in_child(root, **override) == -signal.SIGKILL
    assert [status for (status,) in query(root, "select status from runs")] == ["RUNNING"]
    assert train_in_child(root, **override) == 0
    reference, reference_points = uninterrupted
    checkpoint = newest(root)
    assert checkpoint["trainer"]["iteration"] == STEPS
    for part in ("network", "optimizer", "best"):
        assert equal(checkpoint[part], reference[part]), part
    # one run, every step once, and with the value of the run that nobody killed
    assert query(root, "select status, name from runs") == [("FINISHED", "toy-seed0")]
    assert [row[1:] for row in points(root)] == [row[1:] for row in reference_points]


@pytest.mark.parametrize(("step", "workers"), [(11, 0), (16, 2)])
def test_killed_run_ends_with_the_same_bits(output_root, uninterrupted, step, workers):
    die_and_go_on(output_root, uninterrupted, die_at=step, num_workers=workers)


def test_killed_before_the_first_checkpoint_goes_on_in_the_same_tracked_run(output_root, uninterrupted):
    die_and_go_on(output_root, uninterrupted, die_at=2)


def small(directory, workers, die_at=0):
    """The toy's training without the bundle around it and without tracking."""
    torch.manual_seed(0)
    network = Method()
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=0.01)
    sampler = SeededSampler(34, 0, 4)
    loader = DataLoader(
        Noise(34, 0), batch_size=4, sampler=sampler, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )
    handlers = [
        ApplySchedules(optimizer, Cosine(0.01, 1e-6, 1), Cosine(0.04, 0.4)),
        UpdateTeacher(network, Cosine(0.9, 1.0)),
        Checkpoints(directory, network, optimizer, every_iterations=3),
        Die(die_at, directory.parent / "died"),
    ]
    options = {"prepare_batch": whole_batch, "train_handlers": handlers}
    Trainer("cpu", 3, loader, network, optimizer, method_losses, **options).run()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_every_step(tmp_path, workers):
    def result(name, **options):
        directory = tmp_path / name / "checkpoints"
        directory.parent.mkdir(exist_ok=True)
        code = exit_code(in_child(lambda: small(directory, workers, **options)))
        newest = max(directory.glob("iteration-*.pt"), default=None)
        return code, torch.load(newest, weights_only=True) if newest else None

    code, reference = result("whole")
    assert code == 0
    for step in range(1, STEPS):
        assert result(f"killed-{step}", die_at=step)[0] == -signal.SIGKILL
        code, checkpoint = result(f"killed-{step}", die_at=step)
        assert code == 0 and equal(checkpoint, reference), step


@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 128 + signal.SIGTERM), pytest.param("SIGINT", 1, marks=pytest.mark.slow)]
)
def test_interrupted_run_is_saved_where_it_stands_and_marked_killed(output_root, uninterrupted, name, code):
    override = {"die_at": 11, "die_how": name, "checkpoints#every_iterations": 100}
    assert train_in_child(output_root, **override) == code
    assert newest(output_root)["trainer"]["iteration"] == 11
    assert query(output_root, "select status from runs") == [("KILLED",)]
    assert train_in_child(output_root, **override) == 0
    assert equal(newest(output_root)["network"], uninterrupted[0]["network"])
    assert query(output_root, "select status from runs") == [("FINISHED",)]
    assert [row[1:] for row in points(output_root)] == [row[1:] for row in uninterrupted[1]]


def test_raising_run_is_marked_failed_and_goes_on(output_root, uninterrupted):
    assert train_in_child(output_root, die_at=11, die_how="raise") == 1
    assert newest(output_root)["trainer"]["iteration"] == 9
    assert query(output_root, "select status from runs") == [("FAILED",)]
    assert train_in_child(output_root, die_at=11, die_how="raise") == 0
    assert equal(newest(output_root)["network"], uninterrupted[0]["network"])
    assert query(output_root, "select status from runs") == [("FINISHED",)]


def test_finished_run_started_again_changes_nothing(output_root):
    assert train_in_child(output_root) == 0
    before, logged = newest(output_root), points(output_root)
    files = sorted((output_root / "toy/toy-seed0/checkpoints").iterdir())
    times = [file.stat().st_mtime_ns for file in files]
    assert train_in_child(output_root) == 0
    assert equal(newest(output_root), before) and points(output_root) == logged
    assert [file.stat().st_mtime_ns for file in files] == times


def test_more_epochs_go_on_from_a_finished_run(output_root):
    assert train_in_child(output_root) == 0
    assert train_in_child(output_root, epochs=4) == 0
    assert newest(output_root)["trainer"]["iteration"] == 32
    assert query(output_root, "select status from runs") == [("FINISHED",)]
