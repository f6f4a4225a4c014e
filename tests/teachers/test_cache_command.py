"""scripts/cache_embeddings.py: which words it takes, and what it writes or refuses to write."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from common.data.phantom import write_phantom
from common.networks import build_encoder
from common.teachers import load_expert
from common.teachers.embedding_table import read_table

SCRIPT = Path(__file__).parents[2] / "scripts" / "cache_embeddings.py"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, count=6, size=64, seed=0, workers=1)
    return folder


@pytest.fixture
def command(phantom, tmp_path, monkeypatch):
    """Runs the command; returns its exit status."""

    def run(*words, dataset=("chestxray14", str(phantom))):
        expert, out, *flags = words
        given = [*([] if expert is None else [str(expert)]), *dataset, str(out), *map(str, flags)]
        given += ["--stores", str(tmp_path / "stores"), "--store-size", "64"]
        monkeypatch.setattr(sys, "argv", ["cache_embeddings.py", *given])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return ended.value.code

    return run


def test_a_table_is_no_expert_to_ask(command, tmp_path, capsys):
    np.savez(tmp_path / "table.npz", source=np.array(["a.png"]), embedding=np.ones((1, 3)))
    assert command(tmp_path / "table.npz", tmp_path / "out.npz") == 2
    said = capsys.readouterr()
    assert "table.npz" in said.err and "embeddings already" in said.err and not said.out
    assert not (tmp_path / "out.npz").exists()
