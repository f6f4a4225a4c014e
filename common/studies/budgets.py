"""A study at several budgets: a method that is pre-trained, or that is told how many labels, becomes one for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .check import LABELS, StudyError
from .placeholders import fill


@dataclass(frozen=True)
class Budget:
    """What a method of a study at several budgets was made of.

    Attributes:
        method: its key in the file.
        title: of that method.
        amount: views rendered in its pre-training, or labelled items that it sees.
    """

    method: str
    title: str
    amount: int


def at_budgets(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Budget]]:
    """A study file's content with `method_budget` in place of each method that is pre-trained, and what each is.

    They come by budget, the smallest first, after the methods without pre-training. A method that reads another's
    encoder or run, or is compared with it, has that one at its own budget. With `label_budgets` it is the methods whose
    options hold `{labels}`, the number in its place. Without either the content is as it was.

    Args:
        content: of the file, checked.

    Example:
        >>> methods = {"random": {}, "ace": {"title": "ACE", "bundle": "cxr_ace"}}
        >>> study = {"budgets": {"today": 1000, "tenfold": 10000}, "methods": methods, "tasks": {}}
        >>> list(at_budgets(study)[0]["methods"])
        ['random', 'ace_today', 'ace_tenfold']
    """
    methods = content["methods"]
    labels = LABELS in content
    trained = [name for name, entry in methods.items() if (_names_labels(entry) if labels else "bundle" in entry)]
    made: dict[str, Any] = {name: entry for name, entry in methods.items() if name not in trained}
    found: dict[str, Budget] = {}
    budgets = content.get(LABELS, content.get("budgets"))
    if budgets is None:
        return dict(content), {}
    if labels and not trained:
        raise StudyError(f"{LABELS}: no method names {{labels}} in its options, such as label_limit: '{{labels}}'")
    for budget, amount in sorted(budgets.items(), key=lambda item: int(item[1])):
        for name in trained:
            key, title = f"{name}_{budget}", methods[name].get("title", name)
            found[key] = Budget(name, title, amount)
            if labels:
                entry = {"reference": content["reference"], **fill(methods[name], partial(_number_of_labels, amount))}
                made[key] = _at_budget(entry, budget, trained) | {"title": f"{title}, {amount:,} labels"}
            else:
                made[key] = _at_budget(methods[name], budget, trained) | {
                    "title": f"{title}, {amount:,} views",
                    "views_budget": amount,
                }
    if content["reference"] in trained:  # the last budget is the largest
        content = {**content, "reference": f"{content['reference']}_{budget}"}
    tasks = {
        name: task | ({"methods": _several(task["methods"], found)} if "methods" in task else {})
        for name, task in content["tasks"].items()
    }
    return {**content, "methods": made, "tasks": tasks}, found


def _number_of_labels(amount: int, kind: str, _: str) -> int | None:
    return amount if kind == "labels" else None


def _names_labels(entry: Mapping[str, Any]) -> bool:
    """Whether a method's options hold `{labels}`."""
    found = []
    fill(entry, lambda kind, _: found.append(kind))
    return "labels" in found


def _at_budget(entry: Mapping[str, Any], budget: str, trained: list[str]) -> dict[str, Any]:
    """A method that reads from others, and is compared with one, at the same budget."""

    def own(kind: str, key: str | None) -> str | None:
        method, *task = (key or "").split("/")
        if kind not in ("runs", "encoders") or method not in trained:
            return None
        return f"{{{kind}[{'/'.join([f'{method}_{budget}', *task])}]}}"

    at = {key: fill(value, own) if key in ("options", "task_options") else value for key, value in entry.items()}
    if entry.get("reference") in trained:
        at["reference"] = f"{entry['reference']}_{budget}"
    return at


def _several(names: list[str], found: Mapping[str, Budget]) -> list[str]:
    """The methods of a task, at every budget."""
    made = [[key for key, budget in found.items() if budget.method == name] or [name] for name in names]
    return [key for keys in made for key in keys]
