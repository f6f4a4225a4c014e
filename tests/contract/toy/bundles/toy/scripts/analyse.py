"""Measures how bright images are."""

import json
from pathlib import Path

import torch
from matplotlib.figure import Figure

from common.files import write_atomically
from common.images import read_image
from common.records import Corpus
from common.reporting import Tracking


class Brightness:
    """Numbers, a picture, and a page that shows it.

    Args:
        corpus: whose images are looked at.
        run_dir: folder of the results.
        tracking: takes the numbers.
    """

    def __init__(self, corpus: Corpus, run_dir: str, tracking: Tracking):
        self.corpus, self.run_dir, self.tracking = corpus, Path(run_dir), tracking

    def run(self) -> None:
        """Measure, draw and write."""
        with self.tracking.whole_run():
            greys = torch.stack([torch.from_numpy(read_image(it.image)).float().mean() for it in self.corpus.records])
            numbers = {"brightness": float(greys.mean())}
            write_atomically(json.dumps(numbers) + "\n", self.run_dir / "numbers.json")
            figure = Figure()
            figure.subplots().hist(greys.tolist())
            figure.savefig(self.run_dir / "greys.png")
            write_atomically('<img src="greys.png">\n', self.run_dir / "index.html")
            self.tracking.log_metrics(numbers)
