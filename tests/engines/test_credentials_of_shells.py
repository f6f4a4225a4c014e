"""What a shell sets in every environment is no secret."""

from common.engines.credentials import without_credentials


def test_the_working_directory_is_no_password(monkeypatch):
    monkeypatch.setenv("PWD", "/somewhere/a/user/works")
    monkeypatch.setenv("DATABASE_PWD", "hunter-22")
    path = "sqlite:////somewhere/a/user/works/runs/mlflow.db"
    assert without_credentials(path) == path
    assert "hunter" not in without_credentials("the server said hunter-22 is wrong")
