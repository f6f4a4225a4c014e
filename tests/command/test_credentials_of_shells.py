"""Where passwords hide, and what only looks like one; what a shell sets in every environment is no secret."""

from pathlib import Path

import pytest
import yaml

from common.command import read_recipe
from common.command.credentials import without_credentials

BUNDLES = Path(__file__).parents[2] / "bundles"


def test_the_working_directory_is_no_password(monkeypatch):
    monkeypatch.setenv("PWD", "/somewhere/a/user/works")
    monkeypatch.setenv("DATABASE_PWD", "hunter-22")
    path = "sqlite:////somewhere/a/user/works/runs/mlflow.db"
    assert without_credentials(path) == path
    assert "hunter" not in without_credentials("the server said hunter-22 is wrong")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:SE'CRET1@127.0.0.1:9", "http://127.0.0.1:9"),
        ("at 'http://user:SE'CRET1@127.0.0.1:9', which", "at 'http://127.0.0.1:9', which"),
        ("https://user:12/34@host", "https://host"),
        ("//user:pw@host/x", "//host/x"),
        ("http://user%3Apw%40host/x", "http://host/x"),
        ("http://h/?user=u&password='SECRET1'", "http://h/?user=u&password='***'"),
        *[(f"http://h/?a=1&{name}=SECRET1&b=2", f"http://h/?a=1&{name}=***&b=2")
          for name in ("pass", "key", "jwt", "code", "session", "auth_token", "sessionToken")],
        ("https://h/back#access_token=SECRET1", "https://h/back#access_token=***"),
        ("mssql://h/?odbc_connect=UID%3Du%3BPWD%3DSECRET1%3BX%3D1", "mssql://h/?odbc_connect=UID%3Du%3BPWD%3D***%3BX%3D1"),
        ("token: SECRET1", "token: ***"),
        ("api_key=SECRET1, x=2", "api_key=***, x=2"),
        ("MLFLOW_TRACKING_TOKEN=SECRET1 python train", "MLFLOW_TRACKING_TOKEN=*** python train"),
        ("note: \"password: SECRET1\"", "note: \"password: ***\""),
        ("{'clientSecret': 'SECRET1', 'n': 1}", "{'clientSecret': '***', 'n': 1}"),
        ("password='SEC RET1' x", "password='***' x"),
        # nothing of these is secret
        *[(text, text) for text in (
            "tokens: 14", "class_token: false", "patch_token=x", "token_auc: 0.5", "keys: [image]", "key_metric: auc",
            "session: morning", "http://host:5000/#/experiments/1", "http://host:8080/a@b", "author: me",
            "KeyError: 'token'", "$a // b", "sqlite:////a@b/mlflow.db", "runs/token/x", "epoch: 3, pass: 1",
        )],
    ],
)  # fmt: skip
def test_secrets_in_texts(text, shown):
    assert without_credentials(text) == shown


@pytest.mark.parametrize(
    "key",
    ["accessToken", "authToken", "clientSecret", "apiToken", "apiKey", "passphrase", "private_key", "auth", "bearer",
     "connection_string", "MLFLOW_TRACKING_TOKEN", "password", "api_tokens"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["SECRET1", 12345678, ["SECRET1"], ("a", "b"), "$'SECRET1'", "@SECRET!"])
def test_secrets_under_keys(key, value):
    assert without_credentials({"a": [{key: value}]}) == {"a": [{key: "***"}]}


@pytest.mark.parametrize("value", ["@tracking#token", "$os.environ['X']", "%other.yaml#token", None, True, ""])
def test_references_to_secrets_stay(value):
    assert without_credentials({"password": value}) == {"password": value}


def test_ordinary_keys_stay():
    config = {
        **{"tokens": 14, "class_token": False, "key_map": {"a": "b"}, "key_metric": "auc", "keys": ["image"]},
        **{"patch_token": "mean", "cells": "x", "codes": ["A"], "author": "me", "token_auc": 0.5, "key": "image"},
        **{"run_name": "session-3", "session": "morning", "token": 3},
    }
    assert without_credentials(config) == config


def test_the_config_of_every_recipe_passes_unchanged():
    files = [path for path in BUNDLES.rglob("configs/**/*.*") if path.suffix in (".yaml", ".json")]
    assert len(files) > 80
    for path in files:
        content = yaml.safe_load(path.read_text())
        assert without_credentials(content) == content, path
    for bundle in BUNDLES.glob("*/configs/train.yaml"):
        merged = read_recipe(bundle, bundle.with_name("smoke.yaml")).get()
        assert without_credentials(merged) == merged, bundle


@pytest.mark.parametrize(
    ("name", "value", "text", "shown"),
    [
        ("MY_TOKEN", "phantoms", "data/phantoms", "data/phantoms"),
        ("MY_TOKEN", "phantoms", "phantoms", "phantoms"),
        ("MAX_TOKEN", "10000000", "10000000 images", "10000000 images"),
        ("MLFLOW_TRACKING_PASSWORD", "phantoms", "data/phantoms", "data/phantoms"),
        ("MLFLOW_TRACKING_PASSWORD", "phantoms", "said phantoms!", "said ***!"),
        ("MY_TOKEN", "a1b2c3d4e5", "data/a1b2c3d4e5/x", "data/***/x"),
        ("MY_TOKEN", "a1b2c3d4e5", "xa1b2c3d4e5", "xa1b2c3d4e5"),
        ("MY_TOKENS", "a1b2c3d4e5", "a1b2c3d4e5", "a1b2c3d4e5"),
    ],
)
def test_values_of_the_environment_are_whole_words(name, value, text, shown, monkeypatch):
    monkeypatch.setenv(name, value)
    assert without_credentials(text) == shown
    assert without_credentials(text, environment={}) == text
