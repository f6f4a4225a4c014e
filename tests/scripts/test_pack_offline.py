"""A pack for a machine without internet: the committed code, wheels, data, and an installer that needs nothing else."""

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_NETWORK = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0"}


def stub_wheel(folder, name, version, requires=""):
    """A package of one module that knows its version."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + requires
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", kind)
        wheel.writestr(f"{info}/RECORD", "".join(f"{info}/{file},,\n" for file in ("METADATA", "WHEEL", "RECORD")))


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "at_hand"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        stub_wheel(folder, "stubone", version, "Requires-Dist: stubtwo\n")
    stub_wheel(folder, "stubtwo", "5.0")
    return folder


def run(words, wheels, **more):
    environment = {**os.environ, **NO_NETWORK, "WHEELS": str(wheels), "PIP_FIND_LINKS": str(wheels)}
    return subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT, **more)


@pytest.mark.slow
def test_a_pack_installs_itself_from_what_it_holds(tmp_path, wheels):
    (tmp_path / "wanted.txt").write_text("stubone==1.0  # the pin, not the newest\n")
    data = tmp_path / "images"
    data.mkdir()
    (data / "1.png").write_text("an image")
    out = tmp_path / "pack.tar"
    words = ["bash", "scripts/pack_offline.sh", str(out), "--data", str(data)]
    done = run([*words, "--requirements", str(tmp_path / "wanted.txt")], wheels)
    assert done.returncode == 0 and "2 wheels for Python" in done.stdout, done.stdout + done.stderr

    there = tmp_path / "elsewhere"
    with tarfile.open(out) as pack:
        pack.extractall(there, filter="data")
    packed = there / "anatomy-bundles"
    assert (packed / "data" / "images" / "1.png").read_text() == "an image"
    committed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert all((packed / name).is_file() for name in committed if name and (ROOT / name).exists())

    done = run(["bash", str(packed / "install.sh")], tmp_path / "nothing")
    assert done.returncode == 0, done.stdout + done.stderr
    code = "import stubone, stubtwo, common; print(stubone.VERSION, stubtwo.VERSION, common.__file__)"
    said = subprocess.run([packed / ".venv/bin/python", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert said.stdout.split() == ["1.0", "5.0", str(packed / "common" / "__init__.py")], said.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "usage"),
        (["out.tar", "--data", "nowhere"], "no folder /"),
        (["a.tar", "--requirements", "b"], "no file /"),
    ],
)
def test_what_it_cannot_pack_is_named(words, told, wheels):
    done = run(["bash", "scripts/pack_offline.sh", *words], wheels)
    assert done.returncode in (1, 2) and told in done.stderr
