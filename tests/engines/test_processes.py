import signal

import pytest
import torch
from toy_bundle.scripts.children import exit_code, in_child, newest, points, query, train_in_child, train_in_children

from common.engines import distributed

PLAIN = {"network_def#dropout": 0.0, "train#trainer#clip#mode": "global", "epochs": 2, "train#dataset#length": 32}


def weights(root):
    return newest(root)["network"]


def test_two_processes_equal_one(output_root, tmp_path):
    one, two = tmp_path / "one", output_root
    one.mkdir()
    (one / "mlflow.db").write_bytes((two / "mlflow.db").read_bytes())
    assert train_in_child(one, batch_size=4, **PLAIN) == 0
    assert train_in_children(two, 2, batch_size=2, **PLAIN) == [0, 0]
    for key, value in weights(one).items():
        torch.testing.assert_close(value, weights(two)[key], rtol=1e-5, atol=1e-6)
    # one run is tracked, with losses averaged over both processes
    assert query(two, "select status from runs") == [("FINISHED",)]
    for (_, name, step, value), (_, other_name, other_step, other) in zip(points(one), points(two), strict=True):
        assert (name, step) == (other_name, other_step) and value == pytest.approx(other, rel=1e-3, abs=1e-5)


@pytest.mark.slow
def test_two_killed_processes_go_on(output_root, tmp_path):
    reference = tmp_path / "reference"
    reference.mkdir()
    (reference / "mlflow.db").write_bytes((output_root / "mlflow.db").read_bytes())
    assert train_in_children(reference, 2, batch_size=2, **PLAIN) == [0, 0]
    codes = train_in_children(output_root, 2, batch_size=2, die_at=11, **PLAIN)
    assert -signal.SIGKILL in codes and 0 not in codes
    assert train_in_children(output_root, 2, batch_size=2, die_at=11, **PLAIN) == [0, 0]
    assert all(torch.equal(value, weights(reference)[key]) for key, value in weights(output_root).items())


def test_raising_leaves_no_process_group(tmp_path):
    def act():
        from test_trainer import linear, trainer

        distributed.setup()
        assert torch.distributed.is_initialized() and distributed.world_size() == 2
        rank = distributed.rank()
        gathered = distributed.gather(torch.full((1, 2), float(rank), requires_grad=True))
        assert gathered.tolist() == [[0, 0], [1, 1]] and not gathered.requires_grad
        assert distributed.mean(torch.tensor(float(rank))) == 0.5
        assert distributed.from_first(f"from {rank}") == "from 0"
        # the loss of one process is not finite: all stop in the same iteration
        engine = trainer(linear(), loss_function=lambda out, _: out.mean() / (0 if rank else 1))
        try:
            engine.run()
        except RuntimeError as error:
            assert "non-finite loss in iteration 1" in str(error)
            assert not torch.distributed.is_initialized()
            (tmp_path / str(rank)).touch()

    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}
    children = [in_child(act, RANK=str(rank), LOCAL_RANK=str(rank), **shared) for rank in range(2)]
    assert [exit_code(child) for child in children] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_alone_nothing_is_shared():
    network = torch.nn.Linear(2, 2)
    assert distributed.wrap(network, "cpu") is network
    assert distributed.gather(torch.ones(2, 3)).shape == (2, 3)
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    distributed.setup()
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("gpu", "rank", "device"),
    [(True, "3", "cuda:3"), (True, None, "cuda:0"), (False, "3", "cpu"), (False, None, "cpu")],
)
def test_each_process_has_its_own_gpu_where_there_are_any(gpu, rank, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert distributed.local_device() == torch.device(device)
