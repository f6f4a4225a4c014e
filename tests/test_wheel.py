"""What `pip install .` gives: the packages, what they read, and the pins of requirements.txt."""

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
READ = {".py", ".yaml", ".json", ".conf", ".md", ".png", ".txt", ""}  # kinds of files that packages read or show


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def pins(name):
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return {str(Requirement(line)) for line in lines if line}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy, since a build leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in [
        *git("ls-files", "common", "bundles"),
        "pyproject.toml",
        "README.md",
        "LICENSE",
        *ROOT.glob("requirements*.txt"),
    ]:
        path = source / Path(ROOT / name).relative_to(ROOT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / name).read_bytes())
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(out), str(source)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = out.glob("anatomy_bundles-*.whl")
    return path


def test_it_holds_everything_that_the_packages_read(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == set(git("ls-files", "common", "bundles"))


def test_it_asks_for_the_pins_and_for_tools_only_by_name(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    said = Parser().parsestr(archive.read(name).decode())
    asked = [Requirement(text) for text in said.get_all("Requires-Dist", [])]
    assert {f"{one.name}{one.specifier}" for one in asked if one.marker is None} == pins("requirements.txt")
    for extra, file in (("dev", "requirements-dev.txt"), ("segmentation", "requirements-segmentation.txt")):
        chosen = {f"{one.name}{one.specifier}" for one in asked if one.marker and one.marker.evaluate({"extra": extra})}
        assert chosen == pins(file)
    assert all(re.fullmatch(r"[\w.-]+==\S+", text) for text in pins("requirements.txt") | pins("requirements-dev.txt"))


def test_the_versions_of_python_are_those_that_scripts_take():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    script = (ROOT / "scripts" / "environment.sh").read_text()
    first, last = re.search(r"\(3, (\d+)\) <= sys\.version_info\[:2\] <= \(3, (\d+)\)", script).groups()
    assert wanted == f">=3.{first},<3.{int(last) + 1}"
    assert all(f"python3.{minor}" in script for minor in range(int(first), int(last) + 1))


def test_installed_it_runs_from_any_folder(wheel, tmp_path):
    place = tmp_path / "environment"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    zipfile.ZipFile(wheel).extractall(packages)  # what pip does with a wheel of pure Python
    # The packages that it needs are those of this environment, but for the repository's own folder.
    (packages / "below.pth").write_text(str(Path(yaml.__file__).parents[1]))
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def common(*words):
        done = subprocess.run(
            [python, "-m", "common", *words], cwd=empty, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = common("list", "bundles")
    assert all(name in listed for name in ("cxr_ace", "image_segmentation", "ct_diagnosis_classification"))
    assert "--- " in common("help", "cxr_ace")  # sections of the recipe
    line = common("run", "cxr_ace", "small", "--dry_run")
    assert str(packages / "bundles" / "cxr_ace" / "configs" / "small.yaml") in line
