"""Say what the quickstart made: the probe's curve, Dice from both starts, and what to open."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mlflow.tracking import MlflowClient

RUNS = Path("runs")
EXPORTED = Path("exported/lung_segmentation")
PROBES = {"landmark_retrieval": "landmarks found", "patch_auc": "lung AUC", "embedding_rank": "embedding rank"}


def probe_curve() -> list[str]:
    """Rows of the probe's numbers over pre-training, from MLflow."""
    note = json.loads((RUNS / "cxr_ace/quickstart/mlflow_run.json").read_text())
    client = MlflowClient(note["uri"])
    history = {name: client.get_metric_history(note["run_id"], f"validation/{name}") for name in PROBES}
    steps = sorted({point.step for points in history.values() for point in points})
    shown = [steps[round(i * (len(steps) - 1) / 7)] for i in range(8)] if len(steps) > 8 else steps
    rows = ["  iteration  " + "  ".join(PROBES.values())]
    for step in shown:
        values = [next((p.value for p in points if p.step == step), float("nan")) for points in history.values()]
        cells = [f"{value:>{len(title)}.3f}" for value, title in zip(values, PROBES.values(), strict=True)]
        rows.append(f"  {step:>9}  " + "  ".join(cells))
    return rows


def dice(start: str) -> float:
    """Mean Dice on the test images of one fine-tuning."""
    report = json.loads((RUNS / "image_segmentation" / f"quickstart-{start}" / "evaluation.json").read_text())
    return report["metrics"]["dice"]


def main(words: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(words)
    finetuned, scratch = dice("finetuned"), dice("scratch")
    print("Probe of the ACE encoder while it was pre-trained, on images it never saw:")
    print("\n".join(probe_curve()))
    print("\nDice on the phantom's test images after fine-tuning on 12 labelled images (one seed: no verdict):")
    print(f"  from the ACE encoder  {finetuned:.4f}")
    print(f"  from scratch          {scratch:.4f}")
    print("\nOpen next:")
    print(f"  MLflow UI        .venv/bin/mlflow ui --backend-store-uri sqlite:///{RUNS}/mlflow.db")
    print("                   then http://127.0.0.1:5000")
    print(f"  exported bundle  {EXPORTED}/docs/README.md")


if __name__ == "__main__":
    main()
