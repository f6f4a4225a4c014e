"""A password is found nowhere, whatever address or setting it came in."""

import threading

import pytest
import yaml
from toy_bundle.scripts.children import CONFIG, command_in_child, exit_code, query

from common.command.credentials import without_credentials
from common.export.tracked import read_tracked

SECRET = "hunter2-pa55"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pw@host:5000/x", "http://host:5000/x"),
        ("http://user:p@w@host/x", "http://host/x"),
        ("https://token@host", "https://host"),
        ("s3://AKIA:sec/ret+x@bucket/key", "s3://bucket/key"),
        ("postgresql+psycopg://u:p@db:5432/mlflow?sslpassword=pw&x=1", "postgresql+psycopg://db:5432/mlflow?sslpassword=***&x=1"),
        ("http://h/?x=1&access_token=abc&y=2#z", "http://h/?x=1&access_token=***&y=2#z"),
        ("https://h/b?X-Amz-Signature=abc&sig=def", "https://h/b?X-Amz-Signature=***&sig=***"),
        ("host=db user=u password=pw dbname=x", "host=db user=u password=*** dbname=x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("got 'http://u:p@h/x', not 'http://h2:80/y@z'", "got 'http://h/x', not 'http://h2:80/y@z'"),
        # nothing of these is secret
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
        ("http://localhost:5000/a@b", "http://localhost:5000/a@b"),
        ("$@output_root + '/stores'", "$@output_root + '/stores'"),
        ("$f(tokens=@tokens, token=3)", "$f(tokens=@tokens, token=3)"),
        ("me@mail.org", "me@mail.org"),
    ],
)  # fmt: skip
def test_only_secrets_are_hidden(text, shown):
    assert without_credentials(text) == shown


def test_settings_named_as_secrets_are_hidden():
    config = {
        "password": "a",
        "api_key": "b",
        "tokens": 14,
        "token": "@other",
        "list": [{"aws_secret": "c"}],
        "n": None,
    }
    assert without_credentials(config) == {
        **{"password": "***", "api_key": "***", "tokens": 14, "token": "@other", "list": [{"aws_secret": "***"}]},
        "n": None,
    }


def test_secrets_of_the_environment_are_hidden(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    monkeypatch.setenv("DB_PASSWORD", "cxr")  # too short to be looked for
    assert without_credentials(f"said {SECRET} of cxr") == "said *** of cxr"


@pytest.fixture(scope="module")
def server(tmp_path_factory, mlflow_template):
    """Port and folder of a tracking server in this process; MLflow knows one database per process."""
    from werkzeug.serving import make_server

    root = tmp_path_factory.mktemp("server")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{root / 'mlflow.db'}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(root / "artifacts"))
        from mlflow.server import app

        running = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.port, root
        running.shutdown()


def leaks(root):
    files = [path for path in root.rglob("*") if path.is_file()]
    return [(path.name, line) for path in files for line in path.read_bytes().splitlines() if SECRET.encode() in line]


@pytest.mark.parametrize("where", ["environment", "config", "config, failing"])
def test_a_password_is_in_no_artefact(tmp_path, server, where, monkeypatch):
    port, place = server
    uri = f"http://me:{SECRET}@127.0.0.1:{port}"
    values = {
        "proxy": f"http://me:{SECRET}@proxy:3128",
        "store": f"s3://key:{SECRET}@bucket/x",
        "database": f"postgresql://me:{SECRET}@db/x?password={SECRET}",
        "api_key": SECRET,
    }
    overlay = {"+tracking": {"params": values, **({} if where == "environment" else {"uri": uri})}}
    if where == "environment":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    if where == "config, failing":
        overlay["loss_function"] = f"$open('http://me:{SECRET}@nowhere/x')"
    (tmp_path / "secret").mkdir()
    file = tmp_path / "secret" / "overlay.yaml"
    file.write_text(yaml.safe_dump(overlay))
    log, root = tmp_path / "log", tmp_path / "runs"
    words = ("--output_root", str(root), "--epochs", "1")
    code = exit_code(command_in_child(log, *words, files=[str(CONFIG), str(file)]))
    file.unlink()
    assert code == (where == "config, failing"), log.read_text()
    assert leaks(tmp_path) == [] and leaks(place) == []
    if code == 0:
        assert set(query(place, "select status from runs")) == {("FINISHED",)}
        assert set(query(place, "select value from params where key = 'proxy'")) == {("http://proxy:3128",)}
        run = root / "toy/toy-seed0"
        tracked = read_tracked(run)
        assert tracked.config["tracking"]["params"]["api_key"] == "***" and SECRET not in repr(tracked)
