"""In which portions several processes share the tests: files, and of the contract bundles; long ones begin first."""

import re

import pytest
from xdist.scheduler import LoadFileScheduling

LONG = ("contract", "export", "command", "bundles", "test_contributing.py", "phantom", "segmenters", "engines")
BUNDLE = re.compile(r"::test_bundle_does\[(.+)-\w+\]$")


class Portions(LoadFileScheduling):
    """What the tests of a file share is made once; a bundle's checks share a training, bundles share nothing."""

    def _split_scope(self, nodeid: str) -> str:
        bundle = BUNDLE.search(nodeid)
        return f"{super()._split_scope(nodeid)} {bundle[1]}" if bundle else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # which takes files of many tests for long ones
    return Portions(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):
        root = config.rootpath / "tests"
        rank = {name: place for place, name in enumerate(LONG)}
        items.sort(key=lambda item: rank.get(item.path.relative_to(root).parts[0], len(LONG)))
