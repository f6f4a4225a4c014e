"""Names of folders that MONAI and Fire would read as syntax."""

import pytest
import yaml
from monai.bundle import ConfigParser
from toy_bundle.scripts.children import CONFIG, command_in_child, exit_code, query

from common.command.given import current_command
from common.command.literal import given_paths, literal_texts, literally

ODD = 'study #3 @home 100% $5 it\'s "q" a,b [c] ümläut'
MAIN = "/somewhere/site-packages/monai/bundle/__main__.py"


@pytest.mark.parametrize(
    "text",
    [
        "/data/study #3",
        "runs #2",
        "2024",
        "1e3",
        "a,b",
        "1,2",
        "(a) b",
        "0x10",
        "a@b",
        "it's",
        "[x",
        "-",
        "ü/é #",
        "a=b",
    ],
)
@pytest.mark.parametrize("joined", [False, True])
def test_a_path_is_taken_to_the_letter(text, joined):
    words = [f"--dataset_dir={text}"] if joined else ["--dataset_dir", text]
    assert given_paths([*words, "--epochs", "3"]) == {"dataset_dir": text}


@pytest.mark.parametrize("text", ["$@output_root + '/x'", "%other.yaml#key", "@other_dir", "None", "'quoted'", "['a']"])
def test_syntax_stays_syntax(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert given_paths(["--dataset_dir", text]) == {}


def test_the_share_of_paths_that_a_network_drops_is_a_number():
    assert given_paths(["--network_def#drop_path", "0.0", "--drop_path=0.1", "--path", "0.0"]) == {"path": "0.0"}


def test_what_exists_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "$HOME").mkdir()
    (tmp_path / "@data").mkdir()
    assert given_paths(["--dataset_dir", "$HOME", "--output_root", "@data", "--run_name", "@x"]) == {
        "dataset_dir": "$HOME",
        "output_root": "@data",
    }


@pytest.mark.parametrize("text", [ODD, "#", "@x", "$1 + 1", "%a.json", "back\\slash", "new\nline", "\U0001f600 #"])
def test_an_expression_holds_any_text(text):
    assert ConfigParser({"a": literally(text)}).get_parsed_content("a") == text


def test_plain_texts_of_a_config_keep_their_number_signs():
    config = {"a": "x #1", "b": {"c": ["y#2", "@a", "$1 + 1", 3]}, "d": {"_target_": "pathlib.PurePath", "_desc_": "#"}}
    parser = ConfigParser(literal_texts(config))
    assert parser.get_parsed_content("a") == "x #1"
    assert parser.get_parsed_content("b") == {"c": ["y#2", "x #1", 2, 3]}


def test_flags_of_a_command_are_to_the_letter():
    command = current_command([MAIN, "run", "--config_file", "a.yaml", "--output_root", "runs #2", "--epochs", "2"])
    assert command is not None and dict(command.flags) == {"output_root": "runs #2", "epochs": 2}


def test_a_command_trains_where_it_was_told(tmp_path, mlflow_template):
    """From end to end, with a config file of such a name."""
    root = tmp_path / ODD
    root.mkdir()
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    overlay = root / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"run_name": "trial"}))
    log = tmp_path / "log"
    words = ("--output_root", str(root), "--epochs", "1", "--dataset_dir", str(root))
    assert exit_code(command_in_child(log, *words, files=[str(CONFIG), str(overlay)])) == 0, log.read_text()
    assert len(list((root / "toy/trial/checkpoints").glob("*.pt"))) > 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", ODD]
    assert query(root, "select status, name from runs") == [("FINISHED", "trial")]
    (file,) = root.glob("artifacts/*/artifacts/config.yaml")
    config = yaml.safe_load(file.read_text())
    assert (config["output_root"], config["dataset_dir"]) == (str(root), str(root))


def test_a_relative_folder_with_a_comment_sign(tmp_path, mlflow_template, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs #2").mkdir()
    (tmp_path / "runs #2" / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    assert exit_code(command_in_child(tmp_path / "log", "--output_root", "runs #2", "--epochs", "1")) == 0
    assert (tmp_path / "runs #2" / "toy").is_dir() and not (tmp_path / "runs").exists()
