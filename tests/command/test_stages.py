"""A curriculum of the toy bundle: stages in one command, alone, killed and resumed, and nested in MLflow."""

import signal
import sys

import pytest
import torch
import yaml
from toy_bundle.scripts.children import CONFIG, exit_code, in_child, query, train

from common.command import run_stages
from common.engines import CheckpointError, StartFrom, Trainer, method_losses

MAIN = "/somewhere/site-packages/monai/bundle/__main__.py"
STAGES = {"first": {"learning_rate": 0.02}, "second": {"learning_rate": 0.005, "epochs": 2}}


@pytest.fixture
def configs(tmp_path):
    """The toy's recipe with what a curriculum needs, and the overlay."""
    recipe = yaml.safe_load(CONFIG.read_text())
    recipe |= {"stages": None, "start_from": None}
    recipe["train"]["handlers"].insert(
        0, {"_target_": "common.engines.StartFrom", "path": "@start_from", "network": "@network_def"}
    )
    base, overlay = tmp_path / "train.yaml", tmp_path / "curriculum.yaml"
    base.write_text(yaml.safe_dump(recipe))
    overlay.write_text(yaml.safe_dump({"stages": STAGES, "run": ["$common.command.run_stages()"]}))
    return base, overlay


def command(files, output_root, **override):
    """Run MONAI's command in a child, as its command line would."""

    def action():
        from monai.bundle import run

        flags = {"bundle_root": str(CONFIG.parents[1]), "output_root": str(output_root), **override}
        words = [word for key, value in flags.items() for word in (f"--{key}", str(value))]
        sys.argv = [MAIN, "run", "--config_file", str([str(file) for file in files]), *words]
        run(config_file=[str(file) for file in files], **flags)

    return exit_code(in_child(action))


def last_network(output_root, name):
    files = sorted((output_root / "toy" / name / "checkpoints").glob("iteration-*.pt"))
    return torch.load(files[-1], weights_only=True)["network"]


def tracked(output_root):
    """Name, status and parent's name of every run."""
    sql = """select child.name, child.status, parent.name from runs child
             left join tags on tags.run_uuid = child.run_uuid and tags.key = 'mlflow.parentRunId'
             left join runs parent on parent.run_uuid = tags.value order by child.name"""
    return query(output_root, sql)


FINISHED = [
    ("toy-seed0", "FINISHED", None),
    ("toy-seed0-first", "FINISHED", "toy-seed0"),
    ("toy-seed0-second", "FINISHED", "toy-seed0"),
]


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_chain_equals_its_stages_run_alone_one_after_the_other(configs, output_root, new_root):
    assert command(configs, output_root) == 0
    assert tracked(output_root) == FINISHED
    rates = dict(
        query(output_root, "select name, value from params p join runs r using (run_uuid) where key='learning_rate'")
    )
    assert rates == {"toy-seed0-first": "0.02", "toy-seed0-second": "0.005"}  # each run says what it ran with

    alone = new_root("alone")
    assert command(configs[:1], alone, run_name="a", **STAGES["first"]) == 0
    assert command(configs[:1], alone, run_name="b", start_from=alone / "toy" / "a", **STAGES["second"]) == 0
    assert equal(last_network(output_root, "toy-seed0-first"), last_network(alone, "a"))
    assert equal(last_network(output_root, "toy-seed0-second"), last_network(alone, "b"))
    assert command(configs[:1], alone, run_name="c", **STAGES["second"]) == 0
    assert not equal(last_network(alone, "b"), last_network(alone, "c"))  # where it starts matters


@pytest.mark.parametrize("how", ["SIGKILL", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_kill_in_the_second_stage_resumes_there(configs, output_root, new_root, how):
    whole = new_root("whole")
    assert command(configs, whole) == 0
    # the toy dies once per file, and every stage counts its own iterations: only the second stage has the changed key
    overlay = yaml.safe_load(configs[1].read_text())
    overlay["stages"]["second"] |= {"die_at": 11, "die_how": how}
    configs[1].write_text(yaml.safe_dump(overlay))
    ended = command(configs, output_root)
    assert ended == -signal.SIGKILL if how == "SIGKILL" else ended != 0
    first = (output_root / "toy/toy-seed0-first/checkpoints").stat().st_mtime_ns
    status = "RUNNING" if how == "SIGKILL" else "KILLED"
    assert tracked(output_root) == [
        ("toy-seed0", status, None),
        ("toy-seed0-first", "FINISHED", "toy-seed0"),
        ("toy-seed0-second", status, "toy-seed0"),
    ]
    assert command(configs, output_root) == 0
    assert tracked(output_root) == FINISHED
    assert (output_root / "toy/toy-seed0-first/checkpoints").stat().st_mtime_ns == first  # nothing trained again
    assert equal(last_network(output_root, "toy-seed0-second"), last_network(whole, "toy-seed0-second"))


def test_a_key_that_the_recipe_lacks_is_refused_before_the_first_stage(configs, output_root, capfd):
    overlay = yaml.safe_load(configs[1].read_text())
    overlay["stages"]["second"]["learning_rat"] = 1.0
    configs[1].write_text(yaml.safe_dump(overlay))
    assert command(configs, output_root) != 0
    said = "".join(capfd.readouterr())
    assert "stage second: learning_rat: " in said and "did you mean learning_rate?" in said
    assert not (output_root / "toy").exists()


def test_what_a_later_stage_lacks_is_said_before_the_first_is_trained(configs, output_root, capfd):
    recipe = yaml.safe_load(configs[0].read_text()) | {"folder": ".", "checks": ["$open(@folder + '/x', 'a').close()"]}
    configs[0].write_text(yaml.safe_dump(recipe, sort_keys=False))
    overlay = yaml.safe_load(configs[1].read_text())
    overlay["stages"]["first"]["folder"] = str(output_root)
    overlay["stages"]["second"]["folder"] = str(output_root / "nowhere")
    configs[1].write_text(yaml.safe_dump(overlay))
    assert command(configs, output_root) != 0
    said = "".join(capfd.readouterr())
    assert "nowhere" in said and "This is stage second; nothing was trained." in said
    assert (output_root / "x").exists() and not (output_root / "toy").exists()


def test_stages_need_a_command():
    with pytest.raises(RuntimeError, match=r"monai\.bundle run"):
        run_stages()


class Sum(torch.nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.body = torch.nn.Linear(width, 1)
        self.head = torch.nn.Linear(1, 1)

    def forward(self, batch):
        return {"loss": self.head(self.body(batch)).square().mean()}


def started(network, start):
    loader = torch.utils.data.DataLoader(torch.zeros(2, 3), batch_size=1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    trainer = Trainer(
        "cpu",
        1,
        loader,
        network,
        optimizer,
        method_losses,
        prepare_batch=lambda batch, *_, **__: (batch, None),
        train_handlers=[start],
    )
    trainer.run()


@pytest.fixture
def other(tmp_path):
    network = Sum()
    (tmp_path / "other/checkpoints").mkdir(parents=True)
    torch.save({"network": network.state_dict()}, tmp_path / "other/checkpoints/iteration-000000009.pt")
    return network, tmp_path / "other"


def test_start_from_takes_all_or_what_was_asked_for(other):
    source, folder = other
    for options, taken in (
        ({}, ("body", "head")),
        ({"only": ["body"]}, ("body",)),
        ({"leave_out": ["body"]}, ("head",)),
    ):
        network = Sum()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        started(network, StartFrom(folder, network, **options))
        for name, value in network.state_dict().items():
            expected = source.state_dict()[name] if name.startswith(taken) else before[name]
            assert torch.equal(value, expected), name


def test_start_from_names_what_does_not_fit(other, tmp_path):
    wide = Sum(width=4)
    with pytest.raises(CheckpointError, match=r"body.weight is \(1, 3\) there and \(1, 4\) here"):
        started(wide, StartFrom(other[1], wide))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        started(wide, StartFrom(tmp_path / "nowhere", wide))
    with pytest.raises(CheckpointError, match="none of its names"):
        started(wide, StartFrom(other[1], wide, only=["tail"]))


def test_start_from_passes_over_a_damaged_checkpoint_and_leaves_it_alone(other, caplog):
    source, folder = other
    torn = folder / "checkpoints/iteration-000000010.pt"
    torn.write_bytes((folder / "checkpoints/iteration-000000009.pt").read_bytes()[:-100])
    network = Sum()
    started(network, StartFrom(folder, network))
    assert equal(network.state_dict(), source.state_dict())
    assert torn.is_file() and f"Skipping the checkpoint {torn}, which is damaged" in caplog.text


@pytest.mark.parametrize("path", ["", "checkpoints/iteration-000000009.pt"])
def test_start_from_names_the_damaged_checkpoint_when_none_is_whole(other, path):
    file = other[1] / "checkpoints/iteration-000000009.pt"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=rf"{file} is damaged"):
        started(Sum(), StartFrom(other[1] / path, Sum()))


def test_start_from_weights_alone_says_where_they_belong(tmp_path):
    from safetensors.torch import save_file

    torch.save(Sum().state_dict(), tmp_path / "model.pt")
    save_file(Sum().state_dict(), tmp_path / "encoder.safetensors")
    for name in ("model.pt", "encoder.safetensors"):
        with pytest.raises(CheckpointError, match=rf"{name} is no checkpoint of a training.*encoder_file"):
            started(Sum(), StartFrom(tmp_path / name, Sum()))


def test_train_is_untouched_by_stages(output_root):
    """A command of one training has no parent."""
    assert exit_code(in_child(lambda: train(output_root))) == 0
    assert tracked(output_root) == [("toy-seed0", "FINISHED", None)]
