"""Every bundle does what the contract says, by the commands that a user types."""

import subprocess
import sys

import pytest
from contract_behaviour import CHECKS, SLOW, SLOW_OF
from contract_workshop import HERE
from test_contract_structure import BUNDLES, TOY

from common.export import isolated_environment

JOBS = [
    pytest.param(bundle, name, marks=[pytest.mark.slow] if name in SLOW | SLOW_OF.get(bundle.name, set()) else [])
    for bundle in [TOY, *BUNDLES]
    for name in CHECKS
]


@pytest.mark.parametrize(("bundle", "check"), JOBS, ids=lambda it: getattr(it, "name", it))
def test_bundle_does(check, bundle, workshop):
    problems = CHECKS[check](workshop(bundle))
    assert not problems, "\n".join(problems)


def test_two_exports_live_in_one_process(workshop):
    shops = [workshop(bundle) for bundle in (BUNDLES[0], TOY)]
    assert not shops[0].exported[1] + shops[1].exported[1]
    arguments = [str(HERE / "job_two_exports.py"), *(str(shop.exported[0]) for shop in shops)]
    assert not shops[0].failures(shops[0].stranger("two", arguments))


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
