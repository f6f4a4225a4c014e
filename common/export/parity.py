"""Ask an exported bundle, where the repository cannot be seen, for what the repository's network answers."""

import tempfile
from pathlib import Path

import torch

from . import isolation
from .bundle import Exported
from .rewrite import ExportError

ISOLATED_SCRIPT = """\
import importlib.util
import sys

for name in ("common", "bundles"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} can be imported: this process sees the repository")

import torch
from monai.bundle import ConfigParser

sys.path.insert(0, "")
probe, answer = sys.argv[1:]
config = "inference" if __import__("os").path.exists("configs/inference.json") else "train"
parser = ConfigParser()
parser.read_config(f"configs/{config}.json")
network = parser.get_parsed_content("network_def")
network.load_state_dict(torch.load("models/model.pt", weights_only=True))
with torch.inference_mode():
    torch.save(network.eval()(torch.load(probe, weights_only=True)), answer)
"""


def largest_difference(exported: Exported) -> float:
    """Largest absolute difference between the exported network's answer and the repository's, on the same image.

    Raises:
        ExportError: the exported folder does not work by itself; the message is its own.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        torch.save(exported.images, folder / "probe.pt")
        arguments = ["-c", ISOLATED_SCRIPT, str(folder / "probe.pt"), str(folder / "answer.pt")]
        done = isolation.run_isolated(arguments, exported.folder)
        if done.returncode:
            raise ExportError(f"{exported.folder} does not run by itself:\n{done.stderr[-3000:]}")
        answer = torch.load(folder / "answer.pt", weights_only=True)
    return (answer - exported.output).abs().max().item()
