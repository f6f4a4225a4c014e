"""The table of deliberate mistakes must fit the code it changes, or it would test nothing."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLE = yaml.safe_load((ROOT / "tests" / "mutations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", TABLE, ids=[entry["mistake"] for entry in TABLE])
def test_every_mistake_fits_its_file(entry):
    source = (ROOT / entry["file"]).read_text(encoding="utf-8")
    assert source.count(entry["fragment"]) == 1
    assert entry["replacement"] != entry["fragment"]
    assert entry["tests"]
    assert all((ROOT / test).is_file() for test in entry["tests"])
    changed = source.replace(entry["fragment"], entry["replacement"])
    if entry["file"].endswith(".yaml"):
        assert yaml.safe_load(changed) != yaml.safe_load(source)
    else:
        compile(changed, entry["file"], "exec")


def test_mistakes_are_described_once():
    assert max(Counter(entry["mistake"] for entry in TABLE).values()) == 1
    assert len(TABLE) >= 15
