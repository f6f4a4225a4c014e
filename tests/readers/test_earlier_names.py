"""Programs written for version 0.1 took all data from one room."""

PROGRAM = """
import warnings
warnings.simplefilter("always")
from common.data import open_store, read, SeededSampler, DatasetError
from common.data.decode import read_image
from common.data.errors import UnreadableImage
from common.data.readers import read as read_again
from common.data.volumes import read_volume
import common.files.errors, common.images, common.readers, common.volumes
assert read is read_again is common.readers.read and read_image is common.images.read_image
assert UnreadableImage is common.files.errors.UnreadableImage and read_volume is common.volumes.read_volume
"""


def test_earlier_names_are_the_present_ones_and_say_so(python, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = python(tmp_path / "program.py")
    assert done.returncode == 0, done.stderr
    assert "common.data is now common.images" in done.stderr
