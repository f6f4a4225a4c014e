"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the repository."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]
COPIED = ("common", "bundles", "scripts", "studies", "tests", "pyproject.toml", "requirements.txt", "README.md")
TOY = ROOT / "tests" / "contract" / "toy" / "bundles" / "toy"
BLOCK = re.compile(
    r"^```(?:python|yaml)\n# (\S+?)(?:, (added|in place of `(\w+)`))?\n(.*?)^```", re.MULTILINE | re.DOTALL
)


class Example(NamedTuple):
    """A block of the page: the text of a file, or of what is added to it, or what takes a key's place in it."""

    path: str
    how: str
    key: str
    text: str


PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = [Example(*found) for found in BLOCK.findall(PAGE)]
MISTAKES = [entry for example in EXAMPLES if "/mutations" in example.path for entry in yaml.safe_load(example.text)]
TESTS = [example.path for example in EXAMPLES if Path(example.path).name.startswith("test_")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.pt"))
        else:
            shutil.copy2(ROOT / name, root / name)
    shutil.copytree(TOY, root / "bundles" / "spread", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [path for path in (root / "bundles" / "spread").rglob("*") if path.is_file()]:
        path.write_text(
            path.read_text().replace("bundles.toy", "bundles.spread").replace("bundles/toy", "bundles/spread")
        )
    for example in EXAMPLES:
        path = root / example.path
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if path.is_file() else ""
        if not example.path.startswith("bundles/spread/"):  # which is a copy, whose files may be replaced
            assert bool(before) == bool(example.how), f"{example.path} is added to or new, unlike its block says"
        if example.key:
            text, count = re.subn(rf"(?m)^{example.key}:.*\n", lambda _, new=example.text: new, before)
            assert count == 1, f"{example.path} has {count} keys {example.key}"
        else:
            text = (before if example.how else "") + example.text
        path.write_text(text)
    return root


@pytest.fixture
def run(copy, python):
    """Runs `python WORDS` in the copy; exit code and the end of what it says."""

    def start(*words):
        done = python(*words, cwd=copy)
        return done.returncode, done.stdout[-3000:] + done.stderr[-3000:]

    return start


@pytest.fixture
def run_tests(run):
    return lambda *tests: run("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def test_the_page_has_all_three_recipes():
    files = [example.path for example in EXAMPLES]
    for start in ("common/readers/", "common/losses/", "bundles/spread/scripts/", "bundles/view_position/scripts/"):
        assert any(file.startswith(start) for file in files)
    assert len(TESTS) >= 4 and len(MISTAKES) >= 3


def test_what_the_page_says_must_pass_passes(run_tests):
    commands = re.findall(r"^python -m pytest (.*(?:shades|spread).*)$", PAGE, re.MULTILINE)
    named = {word for command in commands for word in command.split() if word.endswith(".py")}
    assert set(TESTS) - named == {"tests/bundles/test_view_position_items.py"}
    registry = "tests/readers/test_registry.py"
    code, output = run_tests(*sorted({*named, *TESTS} - {registry}))
    assert code == 0, output
    code, output = run_tests(registry, "-k", "shades or no_name_is_there_twice")
    assert code == 0, output


@pytest.mark.slow
def test_the_bundles_keep_the_contracts_structure(run_tests):
    keeps = "tests/contract/test_contract_structure.py"
    code, output = run_tests(keeps, "-k", "spread or (overlay_keys and image_classification)")
    assert code == 0, output


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES, ids=[entry["mistake"] for entry in MISTAKES])
def test_the_mistakes_are_noticed(mistake, copy, run_tests):
    path = copy / mistake["file"]
    before = path.read_text()
    assert before.count(mistake["fragment"]) == 1
    path.write_text(before.replace(mistake["fragment"], mistake["replacement"]))
    try:
        code, output = run_tests(*mistake["tests"])
    finally:
        path.write_text(before)
    assert code == 1, output


def test_the_reader_feeds_the_method(copy, run, output_root):
    images = copy / "images"
    images.mkdir()
    for number in range(24):
        values = np.random.default_rng(number).integers(0, 255, (40, 40), np.uint8)
        Image.fromarray(values).save(images / f"{number}_0.png")
    (images / "labels.csv").write_text("image,dark\n" + "".join(f"{number}_0.png,1\n" for number in range(24)))
    configs = [f"bundles/spread/configs/{name}.yaml" for name in ("train", "smoke")]
    code, output = run(
        *("-m", "monai.bundle", "run", "--config_file", str(configs), "--bundle_root", "bundles/spread"),
        *("--dataset", "shades", "--dataset_dir", images, "--output_root", output_root),
    )
    assert code == 0, output
    assert list(output_root.rglob("model.pt"))
