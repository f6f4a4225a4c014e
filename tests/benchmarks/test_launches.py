"""What a step dispatches is counted where it happens, and does not grow unseen."""

import pytest
import torch

from common.benchmarks.launches import Launches, measure_launches
from common.benchmarks.parts import METHODS


def test_operations_and_waits_of_a_block_are_counted_for_its_part():
    values = torch.arange(4.0)
    with Launches() as launches:
        (values.view(2, 2).T + 1).sum()  # two operations; another shape is none
        with launches.within("views"):
            values[values > 1]  # a comparison, and a selection whose size the host must know
            values.exp_().max().item()
    assert launches.launched == {"rest": 2, "views": 5}
    assert +launches.waits == {"views": 2}


# Counted on 2026-11-29, a tenth added, but never more than half of what the presets of 2026-11-27 launched: 2054, 739,
# 1702, 1382 and 2807 in this order.
MOST = {"cxr_ace": 849, "cxr_adam": 369, "cxr_srhrs": 851, "cxr_leader": 490, "cxr_adam_v2": 953}


@pytest.mark.parametrize("bundle", MOST)
def test_a_step_of_the_small_presets_launches_no_more_than_it_did(bundle):
    found = measure_launches(bundle, ["small"], overrides=METHODS[bundle])
    parts = {key: value for key, value in found.items() if key.endswith("_launches")}
    assert sum(parts.values()) == found["launches"] <= MOST[bundle], parts
    assert min(parts.values()) > 0
    assert found["waits"] <= 8


def test_mixed_precision_adds_its_casts():
    """Two for each of the preset's 21 convolutions, of the student's weight and its gradient; the teacher's are one."""
    plain, mixed = (
        measure_launches("cxr_adam", ["small"], overrides=METHODS["cxr_adam"], mixed_precision=on)
        for on in (False, True)
    )
    more = {key: mixed[key] - plain[key] for key in plain if key.endswith("_launches")}
    assert 21 <= more["encoders_launches"] <= 25 and 21 <= more["backward_launches"] <= 25, more
