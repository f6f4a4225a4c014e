"""Exports of such networks, and programs that use them."""

from pathlib import Path

import pytest
from export_bundles import ROOT, SHAPES, write_run


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """By a bundle's name, its export; made once."""
    from common.export import export_bundle

    made = {}

    def export(bundle):
        if bundle not in made:
            folder = tmp_path_factory.mktemp(bundle)
            run = write_run(bundle, folder / "run", **SHAPES.get(bundle, {}))
            overlay = ROOT / "bundles" / bundle / "configs" / "smoke.yaml"
            made[bundle] = export_bundle(ROOT / "bundles" / bundle, folder / bundle, run, [overlay])
        return made[bundle]

    return export


@pytest.fixture(scope="session")
def isolated(python, tmp_path_factory):
    """As `run_isolated`, but in a warm process."""
    from common.export import isolated_environment

    blocker = tmp_path_factory.mktemp("isolated")
    isolated_environment(blocker)
    return lambda arguments, folder: python(*arguments, cwd=folder, hidden=str(blocker / "sitecustomize.py"))


@pytest.fixture
def warm_exports(isolated, monkeypatch):
    """What an export asks of another process is answered by a warm one."""
    monkeypatch.setattr("common.export.isolation.run_isolated", isolated)


@pytest.fixture(scope="session")
def client(isolated, tmp_path_factory):
    """Run a script where neither the repository nor an export can be imported; the folder of its answers."""

    def run(script, *arguments):
        folder = tmp_path_factory.mktemp("client")
        done = isolated([Path(__file__).parent / script, *arguments], folder)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
        return folder

    return run
