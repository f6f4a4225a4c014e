"""The file beside a run that remembers its run of MLflow."""

import logging

import pytest

from common.reporting.run_note import RunNote


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[1]", b'{"run_id": "x"}', b"\xff\xfe"])
def test_a_damaged_note_is_written_anew(output_root, content, caplog):
    note = RunNote(output_root / "toy/a")
    note.write("x" * 32, "sqlite:///x", {})
    assert note.read("sqlite:///x", {}) == "x" * 32
    note.path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert note.read("sqlite:///x", {}) is None
    assert f"The note {note.path} is damaged" in caplog.text
