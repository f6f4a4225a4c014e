import copy
import multiprocessing
import signal
import sys
from pathlib import Path

import pytest
import yaml
from script_main import script_main

STUDY = {
    "seeds": [0, 1, 2],
    "reference": "random",
    "images": 100,
    "views_budget": 800,
    "data": {"chests": "chests"},
    "pretraining": {
        "configs": ["train"],
        "encoder": "{run_dir}/encoder.txt",
        "options": {"seed": "{seed}", "epochs": "{epochs}", "dataset_dir": "{data[chests]}"},
    },
    "methods": {
        "random": {"title": "random weights"},
        "adam": {"bundle": "cxr_adam", "views_per_image": 2},
        "leader": {"bundle": "cxr_leader", "views_per_image": 1, "options": {"expert": "{encoders[adam]}"}},
    },
    "tasks": {
        "dice": {
            "bundle": "image_segmentation",
            "steps": [{"configs": ["train"]}, {"configs": ["train", "evaluate"]}],
            "options": {"seed": "{seed}", "encoder_file": "{encoder}"},
            "metrics": {"Dice": {"file": "evaluation.json", "key": "metrics.dice"}},
            "facts": {"corpus": {"file": "evaluation.json", "key": "corpus"}},
        }
    },
}


class Workplace:
    """A study in a folder, with a stand-in for the bundles."""

    def __init__(self, root: Path):
        self.root, self.output, self.content = root, root / "runs", copy.deepcopy(STUDY)
        self.main = script_main("study")
        self.data, self.cells = root / "chests", root / "studies" / "trial" / "cells"
        self.data.mkdir()
        for bundle in ("cxr_adam", "cxr_leader", "image_segmentation"):
            for name in ("train", "evaluate"):
                file = root / "bundles" / bundle / "configs" / f"{name}.yaml"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"name: {name}\n")

    def save(self) -> Path:
        file = self.root / "studies" / "trial" / "study.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(self.content, sort_keys=False))
        return file

    def run(self, *arguments: str) -> int:
        places = ["--data", f"chests={self.data}", "--output-root", str(self.output)]
        return self.main([str(self.save()), *places, *arguments])

    def start(self, *arguments: str) -> multiprocessing.Process:
        """Run in another process."""
        process = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(self.run(*arguments)))
        process.start()
        return process

    def journal(self) -> list[str]:
        """Cell of every child that was started, in order."""
        file = self.output / "journal"
        return [line.split()[0].split("-", 1)[1].rsplit("-", 1)[0] for line in file.read_text().splitlines()]

    def finished(self) -> set[str]:
        return {file.stem for file in self.cells.glob("*.json")}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.setattr("common.studies.cells.ROOT", tmp_path)
    monkeypatch.setattr("common.studies.run.ROOT", tmp_path)
    monkeypatch.setattr("common.studies.machine.ROOT", tmp_path)
    monkeypatch.setattr("common.studies.runner.WAIT_S", 0.05)
    stand_in = [sys.executable, str(Path(__file__).with_name("fake_bundle.py"))]
    monkeypatch.setattr("common.studies.command.BUNDLE", stand_in)
    monkeypatch.delenv("CXR_DATA", raising=False)
    previous = signal.getsignal(signal.SIGTERM)
    yield Workplace(tmp_path)
    signal.signal(signal.SIGTERM, previous)
