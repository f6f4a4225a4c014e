"""What `scripts/export_bundle.py` says when it cannot export."""

import pytest
import torch
import yaml
from script_main import script_main


@pytest.fixture
def command():
    main = script_main("export_bundle")
    return lambda *arguments: main([*map(str, arguments)])


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"_target_": "torch.nn.Linear", "in_features": "@width", "out_features": 1}, "width"),
        ({"_target_": "torch.nn.Linear", "in_features": "three", "out_features": 1}, "TypeError"),
    ],
)
def test_a_network_that_cannot_be_built_ends_in_one_line(network, says, command, tmp_path, capsys):
    configs = tmp_path / "toy" / "configs"
    configs.mkdir(parents=True)
    (configs / "train.yaml").write_text(yaml.safe_dump({"network_def": network}))
    (configs / "metadata.json").write_text("{}")
    run = tmp_path / "run-7"
    run.mkdir()
    torch.save({"weight": torch.ones(1, 3)}, run / "model.pt")
    assert command(tmp_path / "toy", "--run", run, "--out", tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"export_bundle: cannot export toy from {run}: ")
    assert says in line
