"""What a study file may contain: mistakes in it are named before anything runs."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

NAME = re.compile(r"[a-z0-9_]+")
REQUIRED = ("seeds", "reference", "methods", "tasks")
WITH_PRETRAINING = ("pretraining",)
BUDGETS = ("views_budget", "budgets")  # one, or several by name; lengths follow from them
LABELS = "label_budgets"  # by name: numbers of labelled items, for methods that name {labels}
KEYS = {
    "study": ("about", *REQUIRED, *WITH_PRETRAINING, "images", *BUDGETS, LABELS, "data", "tables", "figures"),
    "method": (
        *("title", "reference", "only_with", "task_options"),
        *("bundle", "configs", "options", "encoder", "views_per_image", "parts"),
    ),
    "task": ("title", "methods", "bundle", "steps", "options", "metrics", "facts"),
    "pretraining": ("configs", "options", "encoder", "curve"),
    "step": ("configs", "options"),
    "table": ("title", "metrics"),
}


class StudyError(ValueError):
    """The study file, or what was asked of it, is wrong; the message says where and what to do."""


def known(name: str, names: Mapping[str, Any], where: str) -> str:
    """The name itself.

    Raises:
        StudyError: it is not among the names; says which is nearest.
    """
    if name not in names:
        near = difflib.get_close_matches(name, list(names), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names) or 'none'}"
        raise StudyError(f"{name!r} is not in {where}; {hint}")
    return name


def check(content: Mapping[str, Any]) -> None:
    """Refuse unknown keys and names, so that a slip of the pen is not silently ignored.

    Raises:
        StudyError: with the place and, where there is one, the nearest known name.
    """
    pretrained = any("bundle" in method for method in content.get("methods", {}).values())
    needed = REQUIRED + (WITH_PRETRAINING if pretrained else ())
    needed += ("images",) if any(key in content for key in BUDGETS) else ()
    if missing := [key for key in needed if key not in content]:
        raise StudyError(f"the study lacks {', '.join(missing)}")
    given = [key for key in BUDGETS if key in content]
    if len(given) != 1 and ("images" in content or given):
        raise StudyError(f"the study {'has' if given else 'lacks'} {' and '.join(BUDGETS)}; write one of them")
    groups = [("study", "the study", content), ("pretraining", "pretraining", content.get("pretraining", {}))]
    for kind in ("method", "task"):
        groups += [(kind, f"{kind}s.{name}", entry) for name, entry in content[f"{kind}s"].items()]
        for name in content[f"{kind}s"]:
            if not NAME.fullmatch(name) or name == "pretraining":
                raise StudyError(f"{kind}s.{name}: a name has small letters, digits and _, and is not 'pretraining'")
    groups += [
        ("step", f"a step of tasks.{name}", step) for name, task in content["tasks"].items() for step in task["steps"]
    ]
    if "budgets" in content and "bundle" in content["methods"].get(content["reference"], {}):
        raise StudyError(f"reference: {content['reference']} is pre-trained and has a budget; take one that is not")
    for several in ("budgets", LABELS):
        for name in content.get(several, {}):
            if not NAME.fullmatch(name):
                raise StudyError(f"{several}.{name}: a name has small letters, digits and _")
    if LABELS in content and "budgets" in content:
        raise StudyError(f"the study has budgets and {LABELS}; write one of them")
    groups += [("table", "tables", table) for table in content.get("tables", ())]
    for kind, where, entry in groups:
        for key in entry:
            known(key, dict.fromkeys(KEYS[kind]), where)
    for name, task in content["tasks"].items():
        for title, where in task.get("metrics", {}).items():
            for key in where:
                known(key, dict.fromkeys(("file", "key", "better")), f"tasks.{name}.metrics.{title}")
            known(where.get("better", "higher"), {"higher": 0, "lower": 0}, f"tasks.{name}.metrics.{title}.better")
    titles = dict.fromkeys(title for task in content["tasks"].values() for title in task.get("metrics", ()))
    for table in content.get("tables", ()):
        for title in table["metrics"]:
            known(title, titles, "the metrics of the tasks")
    for name, methods in content.get("figures", {}).items():
        for method in methods:
            known(method, content["methods"], f"methods (`figures` {name})")
    known(content["reference"], content["methods"], "methods (as `reference`)")
    for name, method in content["methods"].items():
        known(method.get("reference", content["reference"]), content["methods"], f"methods (`reference` of {name})")
        for data in method.get("only_with", ()):
            known(data, content.get("data", {}), f"data (`only_with` of {name})")
