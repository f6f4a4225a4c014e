import io
import logging
import warnings

import pytest

from common.command import terminal


@pytest.fixture
def console(monkeypatch):
    """A root logger with one console handler, as MONAI leaves it, and nothing of the test runner's."""
    stream = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(stream)])
    level = root.level
    root.setLevel(logging.INFO)
    monkeypatch.setattr(terminal, "_log", None)
    yield stream
    logging.captureWarnings(False)
    root.setLevel(level)
    terminal.set_up()


def talk():
    logging.getLogger("common.reporting.progress").info("epoch 1/2")
    logging.getLogger("bundles.cxr_ace.scripts.method").info("codes")
    logging.getLogger("ignite.engine.engine.Trainer").info("Engine run resuming from iteration 0")
    logging.getLogger("ignite.engine.engine.Trainer").error("Engine run is terminating due to exception: ")
    logging.getLogger("third.party").info("chatter")
    logging.getLogger("third.package").warning("careful")


def test_a_person_sees_our_lines_and_warnings(console):
    terminal.set_up()
    talk()
    assert console.getvalue().splitlines() == ["epoch 1/2", "codes", "Warning: careful"]


def test_an_absent_decoder_that_nothing_asks_for_is_no_line(console, recwarn):
    """MONAI tells of it twice, whenever its transform that loads images is built."""
    from monai.transforms import LoadImaged

    terminal.set_up()
    LoadImaged(keys="image")
    assert not console.getvalue() and not [str(it.message) for it in recwarn if "nvImage" in str(it.message)]
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        terminal.set_up(verbose=True)
        LoadImaged(keys="image")
    assert "nvImageCodec" in console.getvalue() and any("nvImage" in str(it.message) for it in shown)


def test_verbose_shows_everything(console):
    terminal.set_up(verbose=True)
    talk()
    assert len(console.getvalue().splitlines()) == 6
    assert "Engine run resuming" in console.getvalue() and terminal.is_verbose()


def test_the_log_has_everything_with_time_and_origin(console, tmp_path):
    terminal.set_up()
    terminal.log_to(tmp_path / "run")
    talk()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("not writable", UserWarning, stacklevel=1)
    terminal.only_to_log("Traceback: line 1")
    log = (tmp_path / "run" / "train.log").read_text()
    assert "ignite.engine.engine.Trainer - INFO - Engine run resuming" in log
    assert "not writable" in log and "Traceback: line 1" in log
    assert "Traceback" not in console.getvalue() and "not writable" in console.getvalue()


def test_a_log_is_appended_to_and_follows_the_run(console, tmp_path):
    for folder in ("one", "two", "one"):
        terminal.log_to(tmp_path / folder)
        logging.getLogger("common.x").info("in %s", folder)
    assert (tmp_path / "one" / "train.log").read_text().count("in one") == 2
    assert (tmp_path / "two" / "train.log").read_text().count("in ") == 1
    assert terminal.log_file() == tmp_path / "one" / "train.log"
