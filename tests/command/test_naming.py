import pytest

from common.command import share_name, start_name


@pytest.mark.parametrize(
    ("file", "load", "name"),
    [
        ("runs/cxr_ace/ace-seed0/encoder.safetensors", True, "ace-seed0-encoder"),
        ("encoder.pth.tar", True, "encoder.pth"),
        ("runs/cxr_ace/ace-seed0/encoder.safetensors", False, "scratch"),
        ("my runs/a=b/encoder.pt", True, "a_b-encoder"),
        ("/encoder.safetensors", True, "encoder"),
        (None, True, "scratch"),
        ("", True, "scratch"),
    ],
)
def test_a_run_is_named_after_what_it_starts_from(file, load, name):
    assert start_name(file, load) == name


@pytest.mark.parametrize(
    ("fraction", "limit", "name"),
    [(None, None, ""), (0.1, None, "-fraction0.1"), (None, 24, "-limit24"), (0.5, 6, "-fraction0.5-limit6")],
)
def test_a_run_is_named_after_how_much_it_sees(fraction, limit, name):
    assert share_name(fraction, limit) == name
