"""The table of a study: mean and sample standard deviation over seeds, and what they are worth."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from .cell import Cell, cell_id
from .cells import Record, Status
from .differences import LEVEL, holm, paired
from .plan import Study

Figure = dict[str, Any]
FEW = 8
"""Names in a note."""


def summarise(study: Study, found: Mapping[str, Status]) -> dict[str, Any]:
    """Everything the table shows, for JSON: per method and metric the values, and where they come from.

    Only finished cells count: one measured with another config than the study now has is named under `changed`.
    """
    records = {name: status.record for name, status in found.items() if status.record is not None and status.finished}
    waiting = _waiting(study, records)
    methods = {name: _method(study, name, records) for name in study.content["methods"] if name not in waiting}
    for name, about in methods.items():
        reference = methods[study.reference(name)]["metrics"]
        for title, figure in about["metrics"].items():
            figure |= paired(_by_seed(figure) if name != study.reference(name) else {}, _by_seed(reference[title]))
    tested = [figure for about in methods.values() for figure in about["metrics"].values() if figure["p"] is not None]
    for figure, corrected in zip(tested, holm([figure["p"] for figure in tested]), strict=True):
        figure["p_holm"] = corrected
    kept = list(records.values())
    return {
        "study": study.name,
        "reference": study.content["reference"],
        "seeds": study.content["seeds"],
        "methods": methods,
        "begun": sorted({cell.method for cell in study.cells if _is_begun(found.get(cell.id))} & methods.keys()),
        "waiting": waiting,
        "finished": len(kept),
        "cells": sum(cell.method in methods for cell in study.cells),
        "unusable": {name: status.fault for name, status in found.items() if status.fault},
        "changed": {name: status.changed for name, status in found.items() if status.changed},
        "accepted": sorted(record["cell"] for record in kept if record.get("accepted")),
        "commits": _distinct(record["commit"] for record in kept),
        "hardware": _distinct(_hardware(record) for record in kept),
        "dates": [min(dates)[:10], max(dates)[:10]] if (dates := [record["date"] for record in kept]) else [],
    }


def spread(values: Mapping[int, float]) -> Figure:
    """Values by seed, their seeds, number, mean and sample standard deviation (None for fewer than two)."""
    found = list(values.values())
    return {
        "seeds": list(values),
        "values": found,
        "n": len(found),
        "mean": mean(found) if found else None,
        "sd": stdev(found) if len(found) > 1 else None,
    }


def _by_seed(figure: Figure) -> dict[int, float]:
    return dict(zip(figure["seeds"], figure["values"], strict=True))


def markdown(study: Study, summary: Mapping[str, Any]) -> str:
    """The summary as tables, the means and then the differences of each group, with what must be known to read them."""
    pretrained = any(about["epochs"] or about["minutes"]["n"] for about in summary["methods"].values())
    notes = [
        f"{summary['finished']} of {summary['cells']} cells, seeds {', '.join(map(str, summary['seeds']))}. "
        "Mean ± sample standard deviation over seeds, the number of seeds in brackets; `-`: not measured."
        + (" Epochs and CPU minutes are of pre-training." if pretrained else ""),
        *(
            [
                f"Measured {' to '.join(dict.fromkeys(summary['dates']))} on {'; '.join(summary['hardware'])}; "
                f"commits: {_listed(list(dict.fromkeys(map(_short, summary['commits']))))}."
            ]
            if summary["dates"]
            else []
        ),
    ]
    if summary["waiting"]:
        titles = [study.content["methods"][name].get("title", name) for name in summary["waiting"]]
        files = dict.fromkeys(file for files in summary["waiting"].values() for file in files)
        notes.append(f"Not run without their files ({', '.join(files)}): {'; '.join(titles)}.")
    if summary["changed"]:
        notes.append(f"Left out, measured with another config than the study's: {', '.join(summary['changed'])}.")
    if summary["unusable"]:
        notes.append(f"Left out, their files cannot be used: {', '.join(summary['unusable'])}.")
    if summary["accepted"]:
        notes.append(f"Kept although a config changed since, declared immaterial: {_listed(summary['accepted'])}.")
    if blank := _blank(study, summary):
        titles = [about["title"] for name, about in summary["methods"].items() if name in blank]
        notes.append(f"Not begun: {'; '.join(titles)}.")
    names = dict.fromkeys(study.reference(name) for name in summary["methods"])
    reference = "the method named" if len(names) > 1 else summary["methods"][next(iter(names))]["title"]
    caveat = (
        f"Differences are from {reference}: means over pairs of one seed, their {LEVEL:.0%} interval, and p of the "
        "paired t-test, corrected for all differences of this study (Holm). With so few seeds the test finds large "
        "effects only: a large p is no sign of equality."
    )
    groups = study.content.get("tables", [{"metrics": list(_metrics(study))}])
    tables = [_group(study, summary, group, pretrained) for group in groups]
    return "\n\n".join([*notes, caveat, *tables]) + "\n"


def _waiting(study: Study, records: Mapping[str, Record]) -> dict[str, list[str]]:
    """Methods that wait for files nobody gave yet, and those files: a row of blanks would say nothing else."""
    begun = {record["method"] for record in records.values()}
    begun |= {study.reference(name) for name in begun}
    content = study.content["methods"]
    return {
        name: list(about["only_with"]) for name, about in content.items() if "only_with" in about and name not in begun
    }


def _is_begun(status: Status | None) -> bool:
    return status is not None and (status.record is not None or bool(status.fault))


def _blank(study: Study, summary: Mapping[str, Any]) -> set[str]:
    """Methods of which no cell has a file, nor one of those that are compared with them, where others have."""
    begun = {*summary["begun"], *map(study.reference, summary["begun"])}
    return summary["methods"].keys() - begun if begun else set()


def _group(study: Study, summary: Mapping[str, Any], group: Mapping[str, Any], pretrained: bool) -> str:
    """The means of some metrics and their differences."""
    titles, methods = group["metrics"], summary["methods"]
    several = len({study.reference(name) for name in methods}) > 1
    means = [["method", *["epochs", "CPU minutes"] * pretrained, *titles]]
    gains = [["method", *["from"] * several, *titles]]
    blank = _blank(study, summary)
    for name, about in methods.items():
        if name in blank:
            continue
        figures, reference = [about["metrics"][title] for title in titles], study.reference(name)
        effort = [_text(about["epochs"]), _minutes(about)] * pretrained
        means.append([about["title"], *effort, *map(_figure, figures)])
        if name != reference:
            gains.append([about["title"], *[methods[reference]["title"]] * several, *map(_gain, figures)])
    title = [f"## {group['title']}"] if "title" in group else []
    return "\n\n".join([*title, "\n".join(_rows(means)), "\n".join(_rows(gains))])


def _method(study: Study, method: str, records: Mapping[str, Record]) -> Figure:
    seeds = study.content["seeds"]
    trained = {seed: records[name] for seed in seeds if (name := cell_id(method, None, seed)) in records}
    return {
        "title": study.title(method),
        "epochs": study.epochs(method),
        # a resumed cell's time is that of its last part only
        "minutes": spread(
            {
                seed: record["cpu_seconds"] / 60
                for seed, record in trained.items()
                if "cpu_seconds" in record and not record["resumed"]
            }
        ),
        "metrics": {title: spread(_values(study.cells, method, title, records)) for title in _metrics(study)},
    }


def _values(cells: Sequence[Cell], method: str, title: str, records: Mapping[str, Record]) -> dict[int, float]:
    """A metric's value for every seed that has one."""
    return {
        cell.seed: value
        for cell in cells
        if cell.method == method and title in cell.metrics and cell.id in records
        if (value := _number(records[cell.id], cell, title)) is not None and math.isfinite(value)
    }


def _number(record: Record, cell: Cell, title: str) -> float | None:
    where = cell.metrics[title]
    return record["numbers"].get(where.file, {}).get(where.key)


def _metrics(study: Study) -> dict[str, None]:
    """Titles of all metrics, in the file's order."""
    return dict.fromkeys(title for task in study.content["tasks"].values() for title in task.get("metrics", ()))


def _hardware(record: Record) -> str:
    hardware = record["hardware"]
    return ", ".join([f"{hardware['cores']} core(s) of {hardware['processor']}", *hardware["gpus"]])


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))


def _rows(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]]


def _figure(figure: Figure) -> str:
    if figure["mean"] is None:
        return "-"
    sd = "" if figure["sd"] is None else f" ± {figure['sd']:.4f}"
    return f"{figure['mean']:.4f}{sd} ({figure['n']})"


def _gain(figure: Figure) -> str:
    if figure["difference"] is None:
        return "-"
    worth = "" if figure["p"] is None else f" [{figure['low']:+.4f}, {figure['high']:+.4f}], p {figure['p_holm']:.2g}"
    return f"{figure['difference']:+.4f}{worth}"


def _minutes(about: Figure) -> str:
    return "-" if about["minutes"]["mean"] is None else f"{about['minutes']['mean']:.1f}"


def _listed(names: Sequence[str]) -> str:
    """Names, or how many they are where nobody would read them."""
    return ", ".join(names) if len(names) <= FEW else f"{len(names)} of them, named in table.json"


def _short(commit: str) -> str:
    """The first digits, and whether the tree differed from it."""
    digits, dirty, _ = commit.partition("-dirty")
    return digits[:10] + dirty


def _text(value: Any) -> str:
    return "-" if value is None else str(value)
