import time

import pytest
from test_tracking import metrics, trainer
from torch import nn

from common.reporting import Tracking
from common.reporting.system_metrics import SystemMetrics


def slow(output, wanted):
    time.sleep(0.05)
    return nn.functional.mse_loss(output, wanted)


def system(root):
    return sorted(name for name in metrics(root) if name.startswith("system/"))


@pytest.mark.parametrize("every", [None, 0.02])
def test_the_machine_is_watched_where_that_is_asked_for(new_root, every):
    root = new_root("runs")
    trainer(Tracking("toy", "a", root, system_metrics=every), loss=slow).run()
    found = system(root)
    assert ("system/cpu_utilization_percentage" in found) == (every is not None)
    assert bool(found) == (every is not None)


def test_no_time_between_two_looks_is_refused():
    with pytest.raises(ValueError, match=r"tracking#system_metrics is 0; give seconds above 0"):
        SystemMetrics(0)
