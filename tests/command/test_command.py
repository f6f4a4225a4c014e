import copy
import signal
from pathlib import Path

import pytest
import yaml
from toy_bundle.scripts.children import CONFIG, newest, query

from common.command import merged_config
from common.command.given import Command, current_command
from common.command.known_keys import unknown_keys

MAIN = "/somewhere/site-packages/monai/bundle/__main__.py"
TESTS = Path(__file__).parents[1]


def write(path, content):
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def args_file(tmp_path):
    return write(tmp_path / "args.yaml", {"config_file": ["a.yaml", "b.yaml"], "epochs": 9, "lr": 1.0})


@pytest.mark.parametrize(
    ("argv", "files", "flags"),
    [
        (["run", "--config_file", "a.yaml", "--lr", "3"], ("a.yaml",), {"lr": 3}),
        (["run", "--config_file", "['a.yaml','b.yaml']", "--x#y::z=5.0e-4"], ("a.yaml", "b.yaml"), {"x#y::z": 5e-4}),
        (["run", "--config_file", "a.yaml,b.yaml"], ("a.yaml", "b.yaml"), {}),
        (["run", "training", "--config_file", "a.yaml", "--flag"], ("a.yaml",), {"flag": True}),
        (["run", "--run_id", "x", "--config_file=a.yaml", "--v", "[1,'b']"], ("a.yaml",), {"v": [1, "b"]}),
        (
            ["run", "--config_file", "a.yaml", "--net", "%b.yaml#n", "--e=$@a"],
            ("a.yaml",),
            {"net": "%b.yaml#n", "e": "$@a"},
        ),
        (["run", "--config_file", "a.yaml", "--workflow_type", "train", "--meta_file", "m.json"], ("a.yaml",), {}),
        (["run", "--config_file", "a.yaml", "--+x", "[1]"], ("a.yaml",), {"x": [1]}),
        (["run_workflow", "--config_file", "a.yaml", "--lr", "3"], ("a.yaml",), {"lr": 3}),
    ],
)
def test_arguments_are_read_as_monai_reads_them(argv, files, flags):
    command = current_command([MAIN, *argv])
    assert command is not None
    assert (command.files, dict(command.flags)) == (files, flags)


def test_defaults_come_from_the_args_file(args_file):
    command = current_command([MAIN, "run", "--args_file", args_file, "--lr", "3"])
    assert command == Command(("a.yaml", "b.yaml"), {"lr": 3}, args_file, {"epochs": 9})


@pytest.mark.parametrize(
    "argv", [["pytest"], ["x/monai/bundle/__main__.py", "ckpt_export"], ["run", "--lr"], [MAIN, "run"]]
)
def test_other_programs_have_no_command(argv):
    assert current_command(argv) is None


def test_merged_config_is_monais(tmp_path):
    from monai.bundle import ConfigWorkflow

    files = [
        str(CONFIG),
        write(
            tmp_path / "overlay.yaml",
            {
                "epochs": 5,
                "train#trainer#accumulation_steps": 2,
                "validate::dataset::length": 12,
                "+tracking": {"every": 7},
                "+train#handlers": [{"_target_": "monai.handlers.GarbageCollector"}],
                "checkpoints#_disabled_": True,
            },
        ),
    ]
    other = write(tmp_path / "other.yaml", {"net": {"dropout": [0.5]}})
    override = {
        "learning_rate": "$1 + 1",
        "train#sampler": "%train#dataset",
        "network_def#dropout": f"%{other}#net::dropout",
    }
    parser = ConfigWorkflow(files, **copy.deepcopy(override)).parser
    parser.parse()
    expected = {key: value for key, value in parser.get().items() if key != "_meta_"}
    merged = merged_config(files, **override)
    assert merged == expected
    assert merged["network_def"]["dropout"] == [0.5] and merged["train"]["trainer"]["accumulation_steps"] == 2
    assert merged["tracking"]["every"] == 7 and len(merged["train"]["handlers"]) == 7


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("lrr", 3, "--lrr: the config has no 'lrr'"),
        ("seed", "false", "--seed: 'false' is text on a command line; write False"),
        ("seed", "null", "--seed: 'null' is text on a command line; write '$None'"),
        ("epoch", 3, "did you mean epochs?"),
        ("train#trainer#max_epoch", 3, "train#trainer has no 'max_epoch'; did you mean train#trainer#max_epochs?"),
        ("train::trainer::max_epoch", 3, "did you mean train#trainer#max_epochs?"),
        ("train#trainr#max_epochs", 3, "train has no 'trainr'; did you mean train#trainer?"),
        ("max_epochs", 3, "did you mean train#trainer#max_epochs?"),
        ("trian#trainer#max_epochs", 3, "did you mean train?"),
        ("train#handlers#99", 3, "train#handlers is a list of 6, which has no '99'"),
        ("seed#x", 3, "seed is the value 0, which has no 'x'"),
        ("optimizer", {"_target_": "torch.optim.AdamW", "lrr": 3}, "takes no 'lrr'; did you mean lr?"),
        ("train#inferer", {"_target_": "SlidingWindowInferer", "roi": 3}, "takes no 'roi'"),
        ("network_def#_disable_", True, "network_def has no '_disable_'"),
    ],
)
def test_mistyped_keys_are_refused(key, value, hint):
    (problem,) = unknown_keys(Command((str(CONFIG),), {key: value}))
    assert hint in problem and problem.startswith(f"  --{key}: ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 3),
        ("train#trainer#max_epochs", 3),
        ("train::trainer::accumulation_steps", 3),  # an argument of the trainer that the base leaves at its default
        ("network_def#_disabled_", True),
        ("train#handlers#0#lr#warmup_epochs", 3),
        ("train#handlers#5", {"_target_": "ignite.handlers.ProgressBar"}),
        ("train#postprocessing", None),  # MONAI's own id
        ("optimizer", {"_target_": "torch.optim.SGD", "params": "@helper", "lr": 1}),
    ],
)
def test_known_keys_pass(key, value):
    assert unknown_keys(Command((str(CONFIG),), {key: value})) == []


def test_a_reader_s_options_are_left_to_the_reader(tmp_path):
    """Though another one of much the same name is there, or one that is a list."""
    recipe = CONFIG.parents[3] / "bundles/image_classification/configs/train.yaml"
    overlay = write(tmp_path / "data.yaml", {"dataset_options": {"test_fraction": 0.1, "classes": ["a"]}})
    assert unknown_keys(Command((str(recipe), overlay), {"dataset_options#val_fraction": 0.2})) == []


def test_overlay_is_named_and_may_bring_what_it_uses(tmp_path):
    good = write(tmp_path / "good.yaml", {"factor": 2, "learning_rate": "$0.1 * @factor", "+tracking": {"every": 2}})
    bad = write(tmp_path / "bad.yaml", {"factors": 2, "+tracking": {"evry": 2}, "epochs": 1})
    assert unknown_keys(Command((str(CONFIG), good))) == []
    assert sorted(unknown_keys(Command((str(CONFIG), good, bad)))) == [
        f"  {bad}: +tracking: tracking has no 'evry'; did you mean tracking#every?",
        f"  {bad}: factors: the config has no 'factors'; did you mean factor?",
    ]
    assert unknown_keys(Command((str(CONFIG),), {}, "args.yaml", {"epoch": 1})) == [
        "  args.yaml: epoch: the config has no 'epoch'; did you mean epochs?"
    ]


@pytest.fixture
def run(python, output_root):
    """The command of a user, in a process of its own."""

    def start(*flags, program=("-m", "monai.bundle", "run")):
        files = ("--config_file", "toy_bundle/configs/train.yaml", "--bundle_root", "toy_bundle")
        place = ("--output_root", output_root)
        return python(*program, *files, *place, *flags, cwd=TESTS, PYTHONPATH=str(TESTS))

    return start


def test_command_that_is_killed_goes_on(output_root, run):
    flags = ("--epochs", "2", "--die_at", "11")
    assert run(*flags).returncode == -signal.SIGKILL
    assert newest(output_root)["trainer"]["iteration"] == 9
    assert run(*flags).returncode == 0
    assert newest(output_root)["trainer"]["iteration"] == 16
    assert query(output_root, "select status, name from runs") == [("FINISHED", "toy-seed0")]
    assert query(output_root, "select value from params where key = 'epochs'") == [("2",)]
    (file,) = output_root.glob("artifacts/*/artifacts/config.yaml")
    config = yaml.safe_load(file.read_text())
    assert (config["epochs"], config["die_at"]) == (2, 11)


def test_mistyped_command_ends_with_the_nearest_key_and_no_traceback(output_root, run):
    answer = run("--lrr", "3", "--train#trainer#max_epoch", "3")
    assert answer.returncode == 1 and "Traceback" not in answer.stderr
    assert answer.stderr.endswith(
        "Nothing was run, since the command does not fit its config:\n"
        "  --lrr: the config has no 'lrr'; did you mean optimizer#lr?\n"
        "  --train#trainer#max_epoch: train#trainer has no 'max_epoch'; did you mean train#trainer#max_epochs?\n"
    )


@pytest.mark.slow
def test_torchrun(output_root, run):
    program = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "monai.bundle", "run")
    assert run("--epochs", "1", program=program).returncode == 0
    assert query(output_root, "select status from runs") == [("FINISHED",)]
    assert newest(output_root)["trainer"]["iteration"] == 4
    refused = run("--epoch", "1", program=program)
    assert refused.returncode == 1 and "did you mean epochs?" in refused.stderr


@pytest.mark.slow
def test_last_words_are_the_cause_or_that_nothing_is_left(output_root, run):
    answer = run("--train#dataset#length", "2")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("ValueError: 2 images make no batch of 4")
    assert run("--epochs", "1").returncode == 0
    again = run("--epochs", "1")
    assert again.returncode == 0 and "This run is finished: 1 of 1 epochs are done" in again.stdout + again.stderr
