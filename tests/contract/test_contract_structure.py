"""Every bundle's files keep the contract."""

from pathlib import Path

import pytest
from contract_structure import CHECKS, ROOT, WORKFLOWS, command_problems

TOY = Path(__file__).parent / "toy" / "bundles" / "toy"
BUNDLES = sorted({path.parents[1] for name in WORKFLOWS for path in ROOT.glob(f"bundles/*/configs/{name}")})


def test_bundles_are_discovered():
    assert BUNDLES


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("bundle", [*BUNDLES, TOY], ids=lambda path: path.name)
def test_bundle_keeps(check, bundle):
    assert CHECKS[check](bundle) == []


def test_commands_of_the_collections_readme():
    assert command_problems(ROOT / "README.md", ROOT) == []
