"""Checkpoints that are harmed: which one a run goes on from."""

import logging
import os
import types
import zipfile

import pytest
import torch
from checkpointed import Evaluations, make, names
from ignite.engine import Events


@pytest.mark.parametrize("harm", ["truncated", "empty", "flipped"])
def test_torn_file_is_skipped_with_a_message(tmp_path, harm, caplog):
    trainer, checkpoints = make(tmp_path, every_iterations=3)
    trainer.run()
    reference = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    newest = checkpoints.files()[0]
    content = bytearray(newest.read_bytes())
    if harm == "flipped":
        position = content.find(trainer.network.student[0].weight.detach().numpy().tobytes())
        content[position] ^= 1
    newest.write_bytes(content if harm == "flipped" else content[: len(content) // 2 if harm == "truncated" else 0])
    again, _ = make(tmp_path, every_iterations=3)
    with caplog.at_level(logging.INFO):
        again.run()
    assert "Skipping the damaged checkpoint" in caplog.text and newest.name in caplog.text
    assert "Going on from" in caplog.text and "iteration 9" in caplog.text
    assert f"{newest.name}.torn" in names(tmp_path)
    assert all(torch.equal(reference[key], value) for key, value in again.network.state_dict().items())


@pytest.mark.parametrize("harm", ["lost", "torn", "older"])
def test_a_best_that_is_gone_is_made_again(tmp_path, harm, caplog):
    trainer, checkpoints = make(tmp_path, epochs=3, keep_last=1, keep_best="dice")
    Evaluations([0.3, 0.5, 0.1], checkpoints).attach(trainer)
    if harm == "older":
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED(once=2), lambda: os.link(tmp_path / "best.pt", tmp_path / "old")
        )
    trainer.run()
    best = tmp_path / "best.pt"
    best.unlink()
    if harm == "torn":
        best.write_bytes(b"PK")
    if harm == "older":
        (tmp_path / "old").rename(best)
    again, checkpoints = make(tmp_path, epochs=4, keep_last=1, keep_best="dice")
    Evaluations([0.2], checkpoints).attach(again)
    with caplog.at_level(logging.WARNING):
        again.run()
    assert "The best weights so far, those of iteration 10, are lost" in caplog.text
    # the value that is still backed by weights counts, and without any the next evaluation
    expected = {"value": 0.3, "iteration": 5} if harm == "older" else {"value": 0.2, "iteration": 20}
    assert torch.load(best, weights_only=True)["best"] == expected == checkpoints.best


def harmed(path, harm):
    """A newest checkpoint that cannot be gone on from, in one of the ways that happen."""
    content = torch.load(path, weights_only=True)
    data = path.read_bytes()
    directory = data.rfind(b"PK\x01\x02")  # of the last entry in the table of contents
    if harm == "directory":
        path.write_bytes(data[:directory] + b"\xff" * 20 + data[directory + 20 :])
    elif harm == "name in the directory":
        path.write_bytes(data.replace(b"data.pkl", b"\xff\xfe\xfd\xfcpkl!"))
    elif harm == "encrypted":
        path.write_bytes(data[: directory + 8] + b"\x01\x00" + data[directory + 10 :])
    elif harm == "another zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "hello")
    elif harm == "python objects":
        torch.save({**content, "extra": {"x": types.SimpleNamespace()}}, path)
    elif harm == "foreign":
        torch.save({"state_dict": content["network"]}, path)
    elif harm == "list":
        torch.save([1, 2], path)
    elif harm == "foreign names":
        torch.save({**content, "network": {f"module.{name}": t for name, t in content["network"].items()}}, path)
    elif harm == "shapes":
        content["network"]["student.0.weight"] = torch.zeros(16, 7)
        torch.save(content, path)
    elif harm == "shape of a moment":
        content["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3)
        torch.save(content, path)
    elif harm == "nan":
        content["network"]["student.0.weight"][0, 0] = float("nan")
        torch.save(content, path)
    elif harm == "nan moment":
        content["optimizer"]["state"][0]["exp_avg_sq"][0] = float("nan")
        torch.save(content, path)
    elif harm == "no counters":
        torch.save({**content, "trainer": {}}, path)


HARMS = "directory,name in the directory,encrypted,another zip,python objects,foreign,list,foreign names,shapes"


HARMS += ",shape of a moment,nan,nan moment,no counters"


@pytest.mark.parametrize("harm", HARMS.split(","))
def test_the_newest_checkpoint_that_can_be_gone_on_from_is(tmp_path, harm, caplog):
    trainer, checkpoints = make(tmp_path)
    trainer.run()
    reference = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    newest = checkpoints.files()[0]
    harmed(newest, harm)
    again, _ = make(tmp_path)
    with caplog.at_level(logging.INFO):
        again.run()
    assert f"Skipping the damaged checkpoint {newest}" in caplog.text and "weights_only=False" not in caplog.text
    assert "iteration-000000005.pt: iteration 5" in caplog.text and f"{newest.name}.torn" in names(tmp_path)
    assert all(torch.equal(reference[key], value) for key, value in again.network.state_dict().items())
