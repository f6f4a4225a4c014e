import pytest
from readmes import Sandbox


@pytest.fixture
def sandbox(tmp_path, mlflow_template, monkeypatch):
    """A folder like the repository's root, and the place where commands are."""
    made = Sandbox(tmp_path, mlflow_template)
    monkeypatch.chdir(tmp_path)
    return made
