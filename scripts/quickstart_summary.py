"""Say what the quickstart made: what was trained on what, how well, where the pictures are, and what to do next."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from mlflow.tracking import MlflowClient

RUNS = Path("runs")
EXPORTED = Path("exported/lung_segmentation")
PROBES = {"patch_auc": "lung AUC", "landmark_retrieval": "landmarks found"}
STARTS = {"finetuned": "segmentation, from the ACE encoder", "scratch": "segmentation, from scratch"}
DRAWS = range(3)
SHOWN = "quickstart-finetuned0"
NEXT = (
    "python -m common infer quickstart-finetuned0 data/phantom/images --out masks   # or images of your own",
    "python scripts/check_data.py chestxray14 FOLDER                               # what a download lacks",
    "python -m common help cxr_ace                                                 # every key, every overlay",
)


def read(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text())


def seen(run: Path, key: str) -> str:
    return " + ".join(f"{used['images']} {used['name']} {used['split']}" for used in read(run, "data.json")[key])


def probe_rows(run: Path, client: MlflowClient) -> list[tuple[str, str, str]]:
    """What the probe said of the encoder before and after pre-training."""
    rows, what = [], ("ACE pre-training, no labels", seen(run, "trained_on"))
    for name, title in PROBES.items():
        points = client.get_metric_history(read(run, "mlflow_run.json")["run_id"], f"validation/{name}")
        values = [point.value for point in sorted(points, key=lambda point: point.step)]
        if values:
            told = f"{title} {values[0]:.3f} before, {values[-1]:.3f} after, on {seen(run, 'validated_on')}"
            rows.append((*what, told))
            what = ("", "")
    return rows


def dices(start: str) -> list[float]:
    return [read(segmentation(start, draw), "evaluation.json")["metrics"]["dice"] for draw in DRAWS]


def segmentation(start: str, draw: int) -> Path:
    return RUNS / "image_segmentation" / f"quickstart-{start}{draw}"


def segmentation_row(start: str) -> tuple[str, str, str]:
    run, found = segmentation(start, 0), dices(start)
    report, each = read(run, "evaluation.json"), ", ".join(f"{value:.3f}" for value in found)
    told = f"Dice {mean(found):.3f} ({each}) on {report['evaluated']} {report['split']} images"
    return STARTS[start], f"{len(DRAWS)} x {seen(run, 'trained_on')}", told


def verdict() -> str:
    """What the pairs say; a newcomer must not take three of them for a proof, nor a loss for a fault."""
    gains = [tuned - plain for tuned, plain in zip(dices("finetuned"), dices("scratch"), strict=True)]
    better = sum(gain > 0 for gain in gains)
    return (
        f"From the same {len(gains)} draws of labelled images ACE's encoder gave {mean(gains):+.3f} Dice in the mean, "
        f"and more in {better} of {len(gains)}.\nA few minutes on phantoms show that everything works, and are no "
        "verdict on ACE: docs/learning.md says what is known.\n"
    )


def places(client: MlflowClient) -> list[tuple[str, str]]:
    """Pictures, curves and the exported bundle."""
    note = read(RUNS / "image_segmentation" / SHOWN, "mlflow_run.json")
    page = (
        f"http://127.0.0.1:5000/#/experiments/{client.get_run(note['run_id']).info.experiment_id}/runs/{note['run_id']}"
        "?workflowType=machine_learning"
    )
    pictures = sorted((RUNS / "artifacts" / note["run_id"]).rglob("predictions-*.png"))
    found = [("pictures", f"{pictures[-1]}  (outlines: truth and prediction)")] if pictures else []
    store = f"sqlite:///{RUNS}/mlflow.db" if note["uri"].startswith("sqlite") else note["uri"]
    found += [("curves", f"mlflow ui --backend-store-uri {store}"), ("", page)]
    return [*found, ("export", f"{EXPORTED}/docs/README.md")]


def main(words: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(words)
    ace = RUNS / "cxr_ace" / "quickstart"
    client = MlflowClient(read(ace, "mlflow_run.json")["uri"])
    rows = [("what", "trained on", "result"), *probe_rows(ace, client), *map(segmentation_row, STARTS)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{what:<{widths[0]}}  {data:<{widths[1]}}  {told}" for what, data, told in rows]
    print("\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]]))
    print(f"\n{verdict()}")
    print("\n".join(f"{name:<9} {text}" for name, text in places(client)))
    print("\nNext, after `source .venv/bin/activate`, which the curves need too:")
    print("\n".join(f"  {line}" for line in NEXT))


if __name__ == "__main__":
    main()
