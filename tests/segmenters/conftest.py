import importlib.metadata
import sys
from types import ModuleType

import pytest


@pytest.fixture
def standin(tmp_path, monkeypatch):
    from segment_standin import IDS, StandIn

    from common.segmenters import totalsegmentator

    made = StandIn(tmp_path)
    package, api, table = (ModuleType(f"totalsegmentator{part}") for part in ("", ".python_api", ".map_to_binary"))
    api.totalsegmentator = made.segment
    table.class_map = {"total": {number: name for name, number in IDS.items()}, "body": {1: "body"}}
    for module in (package, api, table):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    known = importlib.metadata.version
    monkeypatch.setattr(totalsegmentator, "version", lambda name: "9.9" if name == "TotalSegmentator" else known(name))
    return made
