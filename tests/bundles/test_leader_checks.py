"""What LeADER's command finds out before it trains: folders that are not there, and tables that lack an image."""

import numpy as np
import pytest
from PIL import Image

from bundles.cxr_leader.scripts.checks import check_tables, read_corpora
from common.files import DatasetError
from common.images.patches import WHOLE
from common.teachers import CachedExpert
from common.teachers.embedding_table import EmbeddingTable

PATCH = (0.25, 0.25, 0.75, 0.75)


class Items:
    """What is asked of a data set."""

    def __init__(self, *keys):
        self.keys = lambda: iter(keys)


def table(*rows):
    files, edges = zip(*rows, strict=True)
    return CachedExpert(
        [EmbeddingTable(np.array(files), np.array(edges), np.ones((len(rows), 3), np.float32))], "table"
    )


def test_every_folder_is_read_with_its_own_options(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name / f"{name}.png")
    entries = [
        {"dataset": "folder", "dataset_dir": str(tmp_path / "one"), "options": {"name": "first"}},
        {"dataset": "folder", "dataset_dir": str(tmp_path / "two"), "weight": 0.5},
    ]
    first, second = read_corpora(entries)
    assert (first.name, [record.image[-7:] for record in first.records]) == ("first", ["one.png"])
    assert [record.image[-7:] for record in second.records] == ["two.png"]
    with pytest.raises(DatasetError, match="three"):
        read_corpora([*entries, {"dataset": "folder", "dataset_dir": str(tmp_path / "three")}])


@pytest.mark.parametrize("other", [None, object()], ids=["none", "network"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_table_that_lacks_an_image_or_patch_is_named_wherever_it_stands(other, place):
    experts = [other, other]
    experts[place] = table(("a.png", WHOLE), ("a.png", PATCH))
    check_tables(experts, Items(("/data/a.png", WHOLE), ("/data/a.png", PATCH)))
    for absent in (("/data/b.png", WHOLE), ("/data/a.png", (0.0, 0.0, 0.5, 0.5))):
        with pytest.raises(KeyError, match=absent[0]):
            check_tables(experts, Items(("/data/a.png", WHOLE), absent))


def test_networks_know_whatever_they_are_shown():
    check_tables([None, object()], Items(("/data/b.png", WHOLE)))
