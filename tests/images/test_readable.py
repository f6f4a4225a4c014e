"""A damaged file among many costs its own answer and no other."""

import logging

import pytest
from ignite.engine import Engine
from monai.transforms import Compose, LoadImaged
from PIL import Image

from common.command.excepthook import _report
from common.files import DatasetError, LeftOut, UnreadableImage
from common.files.errors import OtherKind
from common.images import PictureReader, ReadableImages, ReadableLoader


def loader(folder, damaged, count=6, batch_size=1, num_workers=0):
    """Pictures `0.png`, `1.png`, ..., those in `damaged` cut in the middle."""
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.linear_gradient("L").save(path)
        if number in damaged:
            path.write_bytes(path.read_bytes()[:150])
    transform = Compose([LoadImaged(keys=["image"], reader=PictureReader())])
    data = [{"image": str(path), "source": path.name} for path in paths]
    return ReadableLoader(ReadableImages(data, transform), batch_size=batch_size, num_workers=num_workers)


def looked_at(batches):
    """The files that an engine comes to see, in their order, as of an evaluator: of so many batches and no more."""
    seen = []
    engine = Engine(lambda _, batch: seen.extend(batch["source"]))
    batches.attach(engine)
    engine.run(batches, max_epochs=1, epoch_length=len(batches))
    return seen


@pytest.mark.parametrize(("batch_size", "num_workers"), [(1, 0), (2, 0), (4, 2)])
@pytest.mark.parametrize("damaged", [{0}, {2, 3}, {5}])
def test_all_others_are_seen_once(tmp_path, damaged, batch_size, num_workers):
    batches = loader(tmp_path, damaged, 6, batch_size, num_workers)
    assert looked_at(batches) == [f"{number}.png" for number in range(6) if number not in damaged]
    with pytest.raises(LeftOut, match=rf"^{len(damaged)} of 6 images .*{min(damaged)}\.png .*{6 - len(damaged)} are"):
        batches.tell()


class OfBothKinds:
    """Pictures, the first of which is no picture and sound, and as many after it as are asked for damaged."""

    def __init__(self, damaged):
        self.damaged = damaged

    def __call__(self, item):
        number = int(item["source"].partition(".")[0])
        if number > self.damaged:
            return item
        raise (UnreadableImage if number else OtherKind)(item["image"], "a reason", "Leave it out")


def test_sound_files_of_another_kind_are_told_and_no_error(tmp_path, caplog):
    batches = loader(tmp_path, set(), 4)
    batches.dataset.transform = OfBothKinds(0)
    with caplog.at_level(logging.WARNING):
        assert looked_at(batches) == ["1.png", "2.png", "3.png"]
        batches.tell()
    said = [record.getMessage() for record in caplog.records if record.name.startswith("common.")]
    assert said == ["1 of 4 files are no images and are set aside: 0.png (a reason). Leave it out."]
    batches.dataset.transform = OfBothKinds(1)
    assert looked_at(batches) == ["2.png", "3.png"]
    with pytest.raises(LeftOut, match=r"^1 of 3 images could not .* 1\.png \(a reason\)\. The other 2 are written"):
        batches.tell()
    batches.dataset.transform = OfBothKinds(4)
    with pytest.raises(DatasetError, match="none of 4 images"):
        looked_at(batches)


def test_they_are_called_what_they_are(tmp_path):
    for damaged in ({0}, {0, 1}):
        batches = ReadableLoader(loader(tmp_path, damaged, 2).dataset, what="volumes")
        with pytest.raises((LeftOut, DatasetError), match="of 2 volumes could"):
            looked_at(batches)
            batches.tell()


def test_a_few_are_named_as_they_are_met_and_then_counted(tmp_path, caplog):
    batches = loader(tmp_path, set(range(1, 9)), 10)
    with caplog.at_level(logging.WARNING):
        assert looked_at(batches) == ["0.png", "9.png"]
    said = [record.getMessage() for record in caplog.records if record.name.startswith("common.")]
    assert [f"{number}.png: " in line for number, line in enumerate(said[:5], 1)] == [True] * 5
    assert len(said) == 6 and "counted at the end" in said[5]


def test_nothing_is_said_of_sound_files_and_no_file_at_all_is_an_error(tmp_path):
    sound = loader(tmp_path, set())
    assert len(looked_at(sound)) == 6
    sound.tell()
    with pytest.raises(DatasetError, match=r"none of 6 images could be read; the first is .*0\.png"):
        looked_at(loader(tmp_path, set(range(6))))


def test_another_error_than_a_file_s_ends_the_run(tmp_path):
    batches = loader(tmp_path, set())
    batches.dataset.transform = lambda item: 1 / 0
    with pytest.raises(ZeroDivisionError):
        looked_at(batches)


def test_the_last_word_is_no_traceback(capsys):
    _report(LeftOut, LeftOut("1 of 6 images could not be read."), None)
    assert capsys.readouterr().err == "1 of 6 images could not be read.\n"
