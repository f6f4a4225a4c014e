"""Every command of every README: what it names exists, and what it is short for is what the README says."""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from monai.bundle import ConfigParser
from readmes import PAGES, ROOT, commands
from script_main import script_main

from common.command import merged_config
from common.command.given import current_command
from common.command.known_keys import unknown_keys
from common.launcher.main import main
from common.readers import find_reader, reader_modules

MAIN = "/somewhere/site-packages/monai/bundle/__main__.py"

FOREIGN = {"source", "pip", "mlflow", "torchrun", "python3", "ruff", "mypy"}  # not of this project
ALL = [(page, words) for page in PAGES for words in commands(page)]


def of(*start):
    return [
        pytest.param(page, words, id=f"{page}: {' '.join(words)[:80]}")
        for page, words in ALL
        if words[: len(start)] == list(start)
    ]


def dry(words):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main([*words, "--dry_run"])
    assert code == 0, said.getvalue()
    return shlex.split(said.getvalue())


def test_nothing_is_left_out():
    kinds = {tuple(words[: 3 if words[:2] == ["python", "-m"] else 1]) for _, words in ALL}
    ours = {("bash",), ("python",), *(("python", "-m", name) for name in ("common", "monai.bundle", "pytest"))}
    assert kinds <= ours | {(name,) for name in FOREIGN}, kinds
    assert len(ALL) > 60 and {page for page, _ in ALL} >= {"README.md", "CONTRIBUTING.md", "docs/install.md"}


def run_folders(words, monkeypatch):
    """Folders that a training would write to, told without its data."""
    monkeypatch.setattr(sys, "argv", [MAIN, *dry(words[3:])[3:]])
    config = merged_config()
    name = config.get("dataset_options", {}).get("name", config["dataset"])
    parser = ConfigParser({**config, "corpus": {"_target_": "types.SimpleNamespace", "name": name}})
    run = parser.get_parsed_content("run_name")
    stages = config.get("stages") or {}
    return {f"runs/{words[4]}/{run}{stage}" for stage in ["", *(f"-{stage}" for stage in stages)]}


@pytest.mark.parametrize(("page", "words"), of("python", "-m", "common", "run"))
def test_a_short_form_finds_its_files_and_keys(page, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    command = current_command([MAIN, *dry(words[3:])[3:]])
    assert command is not None and unknown_keys(command) == []


def test_runs_that_commands_name_are_runs_of_commands(monkeypatch):
    monkeypatch.chdir(ROOT)
    made = {
        folder for entry in of("python", "-m", "common", "run") for folder in run_folders(entry.values[1], monkeypatch)
    }
    named = {(page, found) for page, words in ALL for word in words for found in re.findall(r"runs/\w+/[\w.-]+", word)}
    named |= {(page, f"runs/image_segmentation/{words[4]}") for page, words in ALL if words[4:] and is_bare_run(words)}
    assert {found for found in named if found[1] not in made} == set()
    assert len(named) > 12


def is_bare_run(words):
    return (
        words[:3] == ["python", "-m", "common"] and words[3] in ("evaluate", "infer", "export") and "/" not in words[4]
    )


@pytest.mark.parametrize(("page", "words"), of("python", "-m", "monai.bundle"))
def test_monais_command_is_what_a_short_form_of_the_page_stands_for(page, words):
    assert words in [dry(other[3:]) for other in commands(page) if other[:4] == ["python", "-m", "common", "run"]]


@pytest.mark.parametrize("name", ["evaluate", "infer", "export"])
def test_what_comes_after_a_training_names_options_that_exist(name, tmp_path, monkeypatch):
    for _, words in [(page, words) for page, words in ALL if words[:4] == ["python", "-m", "common", name]]:
        run, rest = Path(words[4]), words[5:]
        bundle = run.parent.name if run.parent.name else "image_segmentation"
        folder = tmp_path / "runs" / bundle / run.name
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("model.pt", "network.json"):
            (folder / file).write_text("{}")
        (folder / "config.yaml").write_text(yaml.safe_dump({"bundle_root": f"bundles/{bundle}"}))
        (folder / "command.json").write_text("{}")
        images = [str(tmp_path) if word.startswith("/data/") else word for word in rest]
        monkeypatch.chdir(tmp_path)
        dry([name, str(folder), *images])


@pytest.mark.parametrize(("page", "words"), [entry for entry in of("python") if entry.values[1][1] != "-m"])
def test_a_script_takes_its_options(page, words, monkeypatch, capsys):
    """Parsing ends where a name that nobody has is refused, and what was refused is that name alone."""
    script, options = Path(words[1]), words[2:]
    assert (ROOT / script).is_file() and script.parent.name == "scripts"
    with pytest.raises(SystemExit) as ended:
        script_main(script.stem)([*options, "--no-such-option"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.rstrip().endswith("unrecognized arguments: --no-such-option"), said


@pytest.mark.parametrize(("page", "words"), [*of("bash"), *of("python", "-m", "pytest")])
def test_files_exist(page, words):
    shown = [word for word in words if word.startswith(("scripts/", "tests/"))]
    missing = [word for word in shown if not (ROOT / word).exists()]
    text = (ROOT / page).read_text()
    assert [word for word in missing if f"# {word}\n" not in text] == []  # CONTRIBUTING writes some of them


def test_names_of_data_sets_are_those_of_the_readers():
    table = [
        line.strip("| ").split("|") for line in (ROOT / "README.md").read_text().splitlines() if line.count("|") == 6
    ]
    rows = {cells[1].strip("` "): [cell.strip() for cell in cells] for cells in table if cells[1].startswith(" `")}
    known = [find_reader(name).publication for name in reader_modules()]
    assert rows.keys() == {publication.name for publication in known}
    for said in known:
        title, _, where, size, licence = rows[said.name]
        kind = "volumes" if said.volumes else "images"
        counts = [(said.images, kind), (said.patients, "patients")]
        assert title == said.title and licence == said.licence
        assert size == ", ".join(f"{count:,} {what}" for count, what in counts if count)
        address = said.where.split(" (")[0]
        assert where == (address if "://" not in address else f"[{address.split('/')[2]}]({address})")
