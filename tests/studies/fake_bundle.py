"""Stands in for `python -m monai.bundle run`: takes its arguments, leaves its files, resumes, and fails on request.

A run of `epochs` appends one line to `progress` in its folder per epoch and goes on after the last one. It leaves
`encoder.txt` (the seed, or 10 more than the expert's encoder), `data.json` (100 images, unless told otherwise) and,
after 0.1 s of work, `evaluation.json` (its encoder's, plus the seed).
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    names = [name.removeprefix("--") for name in sys.argv[1::2]]
    given = dict(zip(names, sys.argv[2::2], strict=True))
    folder = Path(given["output_root"], Path(given["bundle_root"]).name, given["run_name"])
    folder.mkdir(parents=True, exist_ok=True)
    with Path(given["output_root"], "journal").open("a") as journal:
        journal.write(f"{given['run_name']} {os.getpid()}\n")
    print("first line\nEpoch 1/2\rEpoch 2/2")
    if given["seed"] == given.get("failing_seed"):
        sys.exit("ValueError: the wrong seed")
    progress = folder / "progress"
    for epoch in range(len(progress.read_text().split()) if progress.exists() else 0, int(given.get("epochs", 0))):
        time.sleep(float(given.get("epoch_s", 0)))
        with progress.open("a") as file:
            file.write(f"{epoch}\n")
    read = [Path(given[key]) for key in ("encoder_file", "expert") if key in given]
    value = sum(float(path.read_text()) for path in read) + (10 if "expert" in given else float(given["seed"]))
    value += float(os.environ.get("ROUNDING", 0))
    (folder / "encoder.txt").write_text(str(value))
    data = {"trained_on": [{"images": int(given.get("images", 100))}]}
    (folder / "data.json").write_text(json.dumps(data))
    if "evaluate" in given["config_file"]:
        while time.process_time() < 0.1:  # a cost that survives the rounding of what a cell keeps
            pass
        content = {"corpus": "c0ffee", "weights": str(folder), "metrics": {"dice": value, "dice/lung": None}}
        (folder / "evaluation.json").write_text(json.dumps(content))


main()
