"""A tracking server that cannot be reached is said at once, with what to do."""

import contextlib
import http.server
import socket
import threading
import time

import pytest

from common.reporting import errors, server

NO_PROXY = {"http_proxy": "", "https_proxy": "", "all_proxy": "", "HTTP_PROXY": "", "HTTPS_PROXY": "", "ALL_PROXY": ""}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)


def refusing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return contextlib.nullcontext(port)  # closed again: nobody listens


@contextlib.contextmanager
def silent():
    """The system accepts connections, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextlib.contextmanager
def answering(status):
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(dict(self.headers))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1], asked
        listening.shutdown()


@pytest.mark.parametrize(
    ("kind", "said"), [(refusing, "no connection ([Errno 111] Connection refused)"), (silent, "no answer within")]
)
def test_an_unreachable_server_is_said_within_fifteen_seconds(kind, said):
    began = time.monotonic()
    with kind() as port, pytest.raises(errors.TrackingError) as raised:
        server.connect(f"http://me:hunter2-secret@127.0.0.1:{port}", None)
    assert time.monotonic() - began < 15
    what, remedy = str(raised.value).splitlines()
    assert what.startswith(f"MLflow at http://127.0.0.1:{port} fails: {said}")
    assert "Start the server" in remedy and "MLFLOW_TRACKING_URI" in remedy and "without either, a file" in remedy


def test_a_host_that_does_not_exist_is_said():
    with pytest.raises(errors.TrackingError, match="fails: no connection"):
        server.connect("http://mlflow.invalid:5000", None)


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_any_answer_is_a_server_and_it_is_asked_without_the_password(status):
    with answering(status) as (port, asked):
        server.connect(f"http://me:hunter2-secret@127.0.0.1:{port}/prefix", None)
    assert len(asked) == 1 and "Authorization" not in asked[0]
