"""What a run's evaluation measured, and on which data."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..records.data_used import DataUsed
from ..run_folder import EVALUATED_IMAGES


def metrics_of(best: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Of the evaluation whose report lies in the folder, or what its best epoch was chosen by; no single classes."""
    metrics = evaluation.get("metrics", {})
    if not metrics and best.get("metric"):
        metrics = {f"{best['metric']} (validation, best epoch)": best["value"]}
    return {name: value for name, value in metrics.items() if isinstance(value, float) and "/" not in name}


def measured_on(run: Path, said: Mapping[str, Any], validated: Sequence[DataUsed]) -> dict[str, Any]:
    """Of the evaluation whose report lies in the folder; otherwise of the validation, by which weights are chosen."""
    if said.get("metrics"):
        about = {"data": said.get("corpus"), "split": said.get("split"), "count": said.get("evaluated", _rows(run))}
        return about | in_detail(said)
    if not validated:
        return {}
    return {
        "data": "+".join(dict.fromkeys(used.name for used in validated)),
        "split": "+".join(dict.fromkeys(used.split for used in validated)),
        "count": sum(used.images for used in validated),
    }


def in_detail(said: Mapping[str, Any]) -> dict[str, Any]:
    """Intervals of a report's metrics, and its metrics of single classes; reports of earlier versions lack them.

    Lists and no mappings: a class may have a name that no key of a config can have.
    """
    metrics, found = said["metrics"], said.get("intervals") or {}
    edges = found.get("metrics") or {}
    whole = [{"metric": name, "interval": edges[name]} for name in metrics if "/" not in name and edges.get(name)]
    by_class = [
        {
            "name": label,
            "metrics": [
                {"metric": key.removesuffix(f"/{label}"), "value": value, "interval": edges.get(key)}
                for key, value in metrics.items()
                if key.endswith(f"/{label}")
            ],
        }
        for label in said.get("classes") or ()
    ]
    if not whole and not any(entry["metrics"] for entry in by_class):
        return {}
    return {"level": found.get("level"), "intervals": whole, "by_class": by_class}


def _rows(run: Path) -> int | None:
    """Images in the evaluation's table; its report did not always count them."""
    table = run / EVALUATED_IMAGES
    if not table.is_file():
        return None
    with table.open(newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1
