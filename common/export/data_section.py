"""What a model card says about data: what the weights were trained on, and what each number was measured on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..records.data_used import DataUsed
from ..records.lineage import Lineage
from .markdown import plain_text

UNKNOWN = "not recorded"
SETS, PRETRAINED, TAUGHT = "sets", "pretrained_on", "experts_trained_on"
"""Keys of the metadata's entry `training_data`."""


def training_data(
    trained: Sequence[DataUsed],
    names: Sequence[str],
    before: Sequence[str],
    pretrained: Sequence[DataUsed] = (),
    experts: Iterable[Lineage] = (),
) -> dict[str, Any]:
    """The metadata's entry `training_data`.

    Args:
        trained: what the run counted.
        names: data sets by name alone, for a run that did not count.
        before: names of data sets that the weights it began with were made from, its own among them.
        pretrained: what the trainings of those weights counted.
        experts: data of the teachers that any of these trainings learned from: none of it is left out for being among
            the others, since they may have seen other images of it.
    """
    taught = sum(experts, Lineage())
    counted = {used.name for used in taught.trained_on}
    sets = [used.as_dict() for used in trained] or [{"name": name} for name in names]
    earlier = [used.as_dict() for used in pretrained]
    known = {entry["name"] for entry in [*sets, *earlier]}
    return {
        SETS: sets,
        PRETRAINED: earlier + [{"name": name} for name in dict.fromkeys(before) if name not in known],
        TAUGHT: [used.as_dict() for used in taught.trained_on]
        + [{"name": name} for name in taught.corpora if name not in counted],
    }


def as_text(data: Mapping[str, Any]) -> str:
    """One sentence of `training_data`, for the metadata's `data_source`."""
    told = [_sentence(entry) for entry in data.get(SETS, ())]
    told += [f"pre-trained on {_sentence(entry)}" for entry in data.get(PRETRAINED, ()) if told]
    told += [f"taught by experts that were trained on {_sentence(entry)}" for entry in data.get(TAUGHT, ()) if told]
    return "; ".join(told) or f"{UNKNOWN}: the run's folder does not say what it was trained on"


def data_section(data: Mapping[str, Any]) -> str:
    """Markdown of `training_data`; never the data that a bundle gives as an example."""
    sets = data.get(SETS, ())
    lines = ["Trained on:", "", *_listed(sets)] if sets else [f"Training data: {UNKNOWN}."]
    if before := data.get(PRETRAINED):
        lines += ["", "Pre-trained on:", "", *_listed(before)]
    if taught := data.get(TAUGHT):
        lines += ["", "Taught by experts that were trained on:", "", *_listed(taught)]
    return "\n".join(lines)


def _listed(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"- {plain_text(_sentence(entry))}" for entry in sets]


def performance(metrics: Mapping[str, Any], measured: Mapping[str, Any]) -> str | None:
    """Markdown table of the metrics, each with the data set, the split and the number of images behind it.

    Where the report has them, intervals are beside them, and a second table has a row for each class or structure.

    Args:
        metrics: values by name.
        measured: `data`, `split`, `count`, `level`, `intervals` and `by_class`, as far as they are known.
    """
    if not metrics:
        return None
    cells = [measured.get(key) for key in ("data", "split", "count")]
    about = " | ".join(UNKNOWN if cell is None else plain_text(cell) for cell in cells)
    edges = {entry["metric"]: entry["interval"] for entry in measured.get("intervals") or ()}
    level = f"{100 * (measured.get('level') or 0.95):g} %"
    title = f" {level} interval |" if edges else ""
    rows = [
        f"| {plain_text(name)} | {_number(value)} |{f' {_between(edges.get(name))} |' if edges else ''} {about} |"
        for name, value in metrics.items()
    ]
    table = [f"| metric | value |{title} data set | split | n |", f"|{' --- |' * (6 if edges else 5)}", *rows]
    notes = [f"Intervals are of {level}, from resampled patients."] if edges else []
    return "\n".join([*table, *_of_classes(measured.get("by_class") or ()), *(["", *notes] if notes else [])])


def _of_classes(by_class: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(entry["metric"] for of_one in by_class for entry in of_one["metrics"]))
    if not names:
        return []
    rows = []
    for of_one in by_class:
        found = {entry["metric"]: entry for entry in of_one["metrics"]}
        cells = [plain_text(of_one["name"]), *(_cell(found.get(name, {})) for name in names)]
        rows.append(f"| {' | '.join(cells)} |")
    head = " | ".join(["", *map(plain_text, names)])
    return ["", f"|{head} |", f"|{' --- |' * (1 + len(names))}", *rows]


def _cell(entry: Mapping[str, Any]) -> str:
    interval = entry.get("interval")
    return _number(entry.get("value")) + (f" ({_between(interval)})" if interval else "")


def _number(value: Any) -> str:
    if value is None:
        return "undefined"
    return f"{value:.4g}" if isinstance(value, float) else plain_text(value)


def _between(edge: Sequence[float] | None) -> str:
    return "not known" if edge is None else f"{edge[0]:.4g} to {edge[1]:.4g}"


def _sentence(entry: Mapping[str, Any]) -> str:
    if "images" in entry:
        return str(DataUsed(**entry))
    return f"{entry['name']} (which split and how many images: {UNKNOWN})"
