"""Every bundle's files keep the contract."""

from pathlib import Path

import pytest
from contract_structure import CHECKS, ROOT, command_problems

TOY = Path(__file__).parent / "toy" / "bundles" / "toy"
BUNDLES = sorted(path.parent.parent for path in (ROOT / "bundles").glob("*/configs/train.yaml"))


def test_bundles_are_discovered():
    assert BUNDLES


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("bundle", [*BUNDLES, TOY], ids=lambda path: path.name)
def test_bundle_keeps(check, bundle):
    assert CHECKS[check](bundle) == []


def test_commands_of_the_collections_readme():
    assert command_problems(ROOT / "README.md", ROOT) == []
