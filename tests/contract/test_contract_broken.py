"""The contract notices what is wrong: every check fails on a bundle that is broken in its way."""

import shutil

import pytest
from contract_behaviour import CHECKS as BEHAVIOUR_CHECKS
from contract_behaviour import SLOW
from contract_broken import BEHAVIOUR, STRUCTURE
from contract_runner import BundleRunner
from contract_structure import CHECKS as STRUCTURE_CHECKS
from test_contract_structure import TOY


@pytest.fixture
def copy(tmp_path):
    bundle = tmp_path / "bundles" / "toy"
    shutil.copytree(TOY, bundle, ignore=shutil.ignore_patterns("__pycache__"))
    return bundle


@pytest.mark.parametrize("broken", STRUCTURE, ids=lambda broken: broken.name)
def test_structure(broken, copy):
    check = STRUCTURE_CHECKS[broken.check]
    assert check(copy) == []
    broken.break_it(copy)
    assert broken.says in "\n".join(check(copy))


@pytest.mark.parametrize(
    "broken",
    [pytest.param(it, marks=[pytest.mark.slow] if it.check in SLOW else [], id=it.name) for it in BEHAVIOUR],
)
def test_behaviour(broken, copy, fork_server, phantom, tmp_path):
    broken.break_it(copy)
    assert broken.says in "\n".join(BEHAVIOUR_CHECKS[broken.check](BundleRunner(copy, phantom, fork_server, tmp_path)))


def test_every_check_has_a_bundle_that_breaks_it():
    assert {broken.check for broken in STRUCTURE} == set(STRUCTURE_CHECKS)
    assert {broken.check for broken in BEHAVIOUR} == set(BEHAVIOUR_CHECKS)
