from pathlib import Path

import pytest
from noise_store import COUNT, SIZE, write

from common.images import open_store
from common.images.store import worker as working
from common.records import Corpus, Record


@pytest.fixture
def corpus(tmp_path):
    records = []
    for number in range(COUNT):
        path = tmp_path / f"{number:03}.bmp"
        write(path, number)
        records.append(Record(str(path), f"p{number}", "train", "toy"))
    return Corpus("toy", tuple(records))


@pytest.fixture
def opened(corpus, tmp_path):
    """Opens the store, closing it again; gives its folder and pixels."""

    def run(**options):
        store = open_store(corpus, tmp_path / "stores", SIZE, workers=1, progress=False, **options)
        return store.directory, store.batch(range(len(store))).numpy()[:, 0]

    return run


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded, in order."""
    names, original = [], working.decode

    def noted(payload, path, channels):
        names.append(Path(path).name)
        return original(payload, path, channels)

    monkeypatch.setattr(working, "decode", noted)
    return names
