import pytest

from common.command import bounded, share_name, start_name


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


LONG = "lung_masks-ace-chestxray14-small-seed0-encoder-limit12-small-decoder_unet-learning_rate_0.001{}-seed3"


def test_a_name_of_usual_length_is_as_it_was_made():
    for name in ("lungs-scratch-seed0", "x" * 64):
        assert bounded(name) == name


def test_a_long_name_is_cut_between_its_parts_and_stays_its_own():
    short = bounded(LONG.format(""))
    assert (
        len(short) <= 64
        and short.startswith("lung_masks-ace-chestxray14-small-seed0-encoder-")
        and short.endswith("-seed3")
    )
    others = {bounded(LONG.format(end)) for end in ("", "-a", "-b", "0")} | {bounded(LONG.format("")[:-1] + "4")}
    assert len(others) == 5 and bounded(LONG.format("")) == short


def test_a_name_of_one_long_part_is_cut_within_it():
    assert bounded("y" * 200).startswith("y" * 55 + "-") and len(bounded("y" * 200)) == 64
