"""Rows of a table of probabilities."""

import pytest
import torch
from ignite.engine import Engine

from common.evaluation import SaveProbabilities


def test_what_is_known_when_a_file_ends_the_run_is_written_and_the_error_goes_on(tmp_path):
    def step(engine, batch):
        if batch[0]["source"] == "broken":
            raise OSError("broken is cut")
        return [{"pred": torch.tensor([0.25])} for _ in batch]

    engine = Engine(step)
    SaveProbabilities(str(tmp_path / "out" / "p.csv"), ["Nodule"]).attach(engine)
    with pytest.raises(OSError, match="broken is cut"):
        engine.run([[{"source": name}] for name in ("a", "broken", "c")])
    assert (tmp_path / "out" / "p.csv").read_text() == "source,Nodule\na,0.250000\n"
