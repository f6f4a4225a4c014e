import io
import sys

from common.files import bar
from common.files.bar import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(monkeypatch, stream, seconds: float, steps: int = 5) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    now = [1000.0]
    with Bar(total=steps, unit="image", desc="store") as shown:
        shown._time = lambda: now[0]
        shown.start_t = shown.last_print_t = now[0]
        for _ in range(steps):
            now[0] += seconds
            shown.update()
    return stream.getvalue()


def test_a_file_gets_a_line_every_twenty_seconds(monkeypatch):
    lines = run(monkeypatch, io.StringIO(), 11.0).splitlines()
    assert [line.split("|")[0] for line in lines] == ["store:  40%", "store:  80%"]  # after 22 and 44 of 55 seconds
    assert "2/5" in lines[0] and "00:33" in lines[0] and "\r" not in "".join(lines)


def test_a_short_step_says_nothing_in_a_file(monkeypatch):
    assert run(monkeypatch, io.StringIO(), 1.0) == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    shown = run(monkeypatch, Terminal(), 11.0)
    assert shown.count("\r") > 2 and "5/5" in shown


def test_it_may_be_left_out(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(bar, "EVERY", 0.0)
    assert list(Bar([1, 2], disable=True)) == [1, 2] and stream.getvalue() == ""
