"""A report of what a card can do, within a time, that the next card goes on with."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..files.journal import Journal
from .gpu_parts import Part
from .parts import machine, rounded
from .side_by_side import side_by_side

SPARE = 30.0  # seconds, for what an estimate forgets


def card() -> str:
    """The card's name, or that there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def report(wanted: Sequence[Part], out: Path, minutes: float, study: Sequence[str] = (), processes: int = 1) -> str:
    """Measure what this kind of card has not yet shown, then go on with a study as long as the time lasts.

    Every result is kept as it comes, so that a machine that is taken away costs the part at hand. A part that fails is
    said, and tried again the next time.

    Args:
        wanted: measurements, the most telling first.
        out: folder of `gpu_report.jsonl`, `gpu_report.md` and the study's logs.
        minutes: for everything.
        study: words of `scripts/study.py`; none leaves it out.
        processes: of the study, side by side on the card.

    Returns:
        the table of all cards, which is in `gpu_report.md` too.
    """
    end = time.monotonic() + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    journal, about = Journal(out / "gpu_report.jsonl"), machine()
    for part in wanted:
        key, done = f"{card()}: {part.name}", journal.read()
        if "failed" not in done.get(key, {"failed": ""}):
            continue
        if time.monotonic() + part.seconds > end:
            print(
                f"{part.name}: not begun, {end - time.monotonic():.0f} s are left and it takes about {part.seconds:.0f}"
            )
            continue
        begin = time.monotonic()
        try:
            result = rounded(part.measure(), 4)
        except Exception as error:  # one recipe that does not fit a card is no reason to measure nothing else
            result = {"failed": f"{type(error).__name__}: {error}"[:300]}
        journal.add({key: {**result, "took_s": round(time.monotonic() - begin, 1), **about}})
        print(f"{part.name}: {json.dumps(result)[:200]}", flush=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    left = (end - time.monotonic() - SPARE) / 60
    if study and left > 1:
        side_by_side(study, left, processes, out)
    page = table(journal.read())
    (out / "gpu_report.md").write_text(page)
    return page


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a row for each card and part."""
    lines = ["| card | date | what | result |", "| --- | --- | --- | --- |"]
    for key, result in found.items():
        name, _, part = key.partition(": ")
        lines.append(f"| {name} | {result['date']} | {part} | {_in_words(result)} |")
    return "\n".join(lines) + "\n"


def _in_words(result: Mapping[str, Any]) -> str:
    if "failed" in result:
        return f"failed: {result['failed']}".replace("|", "/").replace("\n", " ")
    words = {
        "images_per_second": "{:.0f} images/s",
        "step_s": "step {:.4f} s",
        "step_to_passes": "{:.2f} of the encoders' passes",
        "peak_gib": "{:.1f} GiB",
        "step_with_masks_to_without": "{:.2f} of it with masks",
        "peak_gib_organs": "{:.1f} GiB with masks",
        "clahe_to_pass": "CLAHE of all images {:.3f} of a ResNet-50's pass",
        "drawn_to_pass": "all intensities as drawn {:.3f}",
        "batch": "batch {}",
        "data_wait": "{:.1%} waiting for data",
        "largest_relative_difference": "bf16 apart from fp32 by at most {:.2g} of the loss",
        "killed_after_iteration": "killed after iteration {}",
        "largest_difference_of_weights": "weights then apart by {:.2g}",
    }
    return ", ".join(text.format(result[key]) for key, text in words.items() if key in result)
