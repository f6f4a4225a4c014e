"""Every bundle does what the contract says, by the commands that a user types."""

import pytest
from contract_behaviour import CHECKS
from test_contract_structure import BUNDLES, TOY


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("bundle", [TOY, *BUNDLES], ids=lambda path: path.name)
def test_bundle_does(check, bundle, workshop):
    problems = CHECKS[check](workshop(bundle))
    assert not problems, "\n".join(problems)
