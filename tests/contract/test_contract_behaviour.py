"""Every bundle does what the contract says, by the commands that a user types."""

import subprocess
import sys

import pytest
from contract_behaviour import CHECKS, ELSEWHERE, SLOW, checks_of, misnamed_losses
from test_contract_structure import BUNDLES, TOY

from common.export import isolated_environment

JOBS = [
    pytest.param(bundle, name, marks=[pytest.mark.slow] if name in SLOW | ELSEWHERE.get(bundle.name, set()) else [])
    for bundle in [TOY, *BUNDLES]
    for name in checks_of(bundle)
]


@pytest.mark.parametrize(("bundle", "check"), JOBS, ids=lambda it: getattr(it, "name", it))
def test_bundle_does(check, bundle, runner):
    problems = CHECKS[check](runner(bundle))
    assert not problems, "\n".join(problems)


def test_a_loss_under_the_name_of_a_score_is_found():
    """The toy has no validation in its training that a broken copy could show it with."""
    keys = ["train/loss", "train/dice", "train/bce", "validation/dice", "validation/dice/lung", "test/bce"]
    assert misnamed_losses(keys) == ["train/dice is a loss and validation/dice a score"]
    assert misnamed_losses(["train/dice_loss", *keys[2:]]) == []


def test_a_process_started_by_hand_cannot_see_the_repository(tmp_path):
    """The processes above are forked; this one starts cold, as the exporter's own check does."""
    (tmp_path / "start").mkdir()
    code = "import common"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=isolated_environment(tmp_path / "start"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "the repository is hidden" in done.stderr
