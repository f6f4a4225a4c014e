"""What a run says of its data, and of the data behind the weights that it began with."""

import json

import pytest
from torch import nn

from common.evaluation.best import beginning
from common.networks import build_encoder, save_encoder
from common.records.data_used import DataUsed
from common.reporting.data_note import DataNote

EXPERTS = '{"began_with": {"corpora": [], "experts": {"corpora": [1]}}}'
BEFORE, OWN = DataUsed("nih", "train", 75312, 24000), DataUsed("nih", "train", 800, 790)


@pytest.fixture
def began(tmp_path):
    """Of a network whose encoder comes from a file."""
    encoder = build_encoder("resnet18", image_size=32)
    path = save_encoder(encoder, tmp_path / "e.safetensors", "cxr_ace", ["nih"], trained_on=[BEFORE])
    network = nn.Module()
    network.encoder = build_encoder(file=path)
    return beginning(network)


def test_what_the_encoder_file_tells_stays_when_a_run_goes_on(tmp_path, began):
    note = DataNote(tmp_path / "run")
    note.path.parent.mkdir()
    note.write([OWN], [], goes_on=False, began=began)
    note.write([OWN], [], goes_on=True)
    assert note.read()["trained_on"] == [OWN]
    assert note.beginning() == {"method": "cxr_ace", "corpora": ["nih"], "trained_on": [BEFORE.as_dict()]}
    note.write([OWN], [], goes_on=False)  # anew, from random weights
    assert note.beginning() == {} and set(json.loads(note.path.read_text())) == {"trained_on", "validated_on"}


def test_a_note_that_cannot_be_read_says_nothing(tmp_path):
    for text in ("{", "[]", '{"began_with": 3}', '{"began_with": {"trained_on": [{"name": 1}]}}', EXPERTS):
        DataNote(tmp_path).path.write_text(text)
        assert DataNote(tmp_path).beginning() == {}
