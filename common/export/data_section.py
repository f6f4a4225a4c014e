"""What a model card says about data: what the weights were trained on, and what each number was measured on."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..records.data_used import DataUsed
from .markdown import plain_text

UNKNOWN = "not recorded"


def training_data(
    trained: Sequence[DataUsed], names: Sequence[str], before: Sequence[str], pretrained: Sequence[DataUsed] = ()
) -> dict[str, Any]:
    """The metadata's entry `training_data`.

    Args:
        trained: what the run counted.
        names: data sets by name alone, for a run that did not count.
        before: names of data sets that the weights it began with were made from, its own among them.
        pretrained: what the trainings of those weights counted.
    """
    sets = [used.as_dict() for used in trained] or [{"name": name} for name in names]
    earlier = [used.as_dict() for used in pretrained]
    known = {entry["name"] for entry in [*sets, *earlier]}
    return {
        "sets": sets,
        "pretrained_on": earlier + [{"name": name} for name in dict.fromkeys(before) if name not in known],
    }


def as_text(data: Mapping[str, Any]) -> str:
    """One sentence of `training_data`, for the metadata's `data_source`."""
    told = [_sentence(entry) for entry in data.get("sets", ())]
    told += [f"pre-trained on {_sentence(entry)}" for entry in data.get("pretrained_on", ()) if told]
    return "; ".join(told) or f"{UNKNOWN}: the run's folder does not say what it was trained on"


def data_section(data: Mapping[str, Any]) -> str:
    """Markdown of `training_data`; never the data that a bundle gives as an example."""
    sets = data.get("sets", ())
    lines = ["Trained on:", "", *_listed(sets)] if sets else [f"Training data: {UNKNOWN}."]
    if before := data.get("pretrained_on"):
        lines += ["", "Pre-trained on:", "", *_listed(before)]
    return "\n".join(lines)


def _listed(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"- {plain_text(_sentence(entry))}" for entry in sets]


def performance(metrics: Mapping[str, Any], measured: Mapping[str, Any]) -> str | None:
    """Markdown table of the metrics, each with the data set, the split and the number of images behind it.

    Args:
        metrics: values by name.
        measured: `data`, `split` and `count`, as far as they are known.
    """
    if not metrics:
        return None
    cells = [measured.get(key) for key in ("data", "split", "count")]
    about = " | ".join(UNKNOWN if cell is None else plain_text(cell) for cell in cells)
    rows = [
        f"| {plain_text(name)} | {f'{value:.4g}' if isinstance(value, float) else plain_text(value)} | {about} |"
        for name, value in metrics.items()
    ]
    return "\n".join(["| metric | value | data set | split | n |", "| --- | --- | --- | --- | --- |", *rows])


def _sentence(entry: Mapping[str, Any]) -> str:
    if "images" in entry:
        return str(DataUsed(**entry))
    return f"{entry['name']} (which split and how many images: {UNKNOWN})"
