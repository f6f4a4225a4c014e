"""What a study consists of: its YAML file, and the cells that follow from it.

The file has `about`, `seeds`, `data` (folders by name), `methods`, `tasks`, a `reference` among the methods, and what
all `pretraining` share. Lengths that follow from a number of views have `images` and either `views_budget` or several
`budgets` by name, which makes a method of each; `label_budgets`, numbers of labelled items by name, do so for methods
whose options hold `{labels}`. `tables` groups metrics, and `figures` names pictures of curves and the methods in them.

A cell is one method's pre-training, or one task from one method's encoder, with one seed: one or more runs of a bundle
under one run name. A method that is not a pre-training but a way to do the tasks has `task_options` in place of a
bundle. Text in the file may hold placeholders. Known when the plan is made:

    {seed}            the cell's seed
    {epochs}          of pre-training, from the budget if there is one: its views / (images * views_per_image)
    {labels}          number of labelled items, with `label_budgets`
    {epochs[part]}    that times the method's `parts[part]`, for a method that trains in stages

Known only on the machine that runs it, and therefore neither in a digest nor in a result:

    {data[name]}      folder or file of a data set
    {run_dir}         folder of the cell's run
    {encoder}         encoder file of the method; an option of exactly this text is left out for a method without one,
                      and null inside another option
    {runs[id]}        run folder of another cell with the same seed: `method` is its pre-training, `method/task` a task
    {encoders[id]}    encoder file of another method, same seed
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .budgets import Budget, at_budgets
from .cell import Cell, Step, Where, cell_id
from .check import LABELS, StudyError, check, known
from .placeholders import fill


@dataclass(frozen=True)
class Study:
    """A study file, read.

    Attributes:
        name: of the folder it lies in.
        file: where it was read from.
        content: as written, with a method for each budget where there are several.
        cells: in the order in which they run: every method with the first seed, then with the next.
        budgets: of each method made for one, where the study has several.
    """

    name: str
    file: Path
    content: Mapping[str, Any]
    cells: tuple[Cell, ...]
    budgets: Mapping[str, Budget] = field(default_factory=dict)

    @property
    def curves(self) -> Mapping[str, str]:
        """Numbers of pre-trainings whose curves are kept, by what a figure calls them."""
        return self.content.get("pretraining", {}).get("curve", {})

    def title(self, method: str) -> str:
        """What tables and figures call a method."""
        return str(self.content["methods"][method].get("title", method))

    def epochs(self, method: str) -> int | None:
        """Epochs of a method's pre-training; None without one, and where its own recipe says how many."""
        return _epochs(self.content, method)

    def reference(self, method: str) -> str:
        """The method that another is compared with: its own `reference`, or the study's."""
        return self.content["methods"][method].get("reference", self.content["reference"])

    def written(self, method: str) -> str:
        """The key that a method has in the file, whatever its budget."""
        return self.budgets[method].method if method in self.budgets else method

    def methods(self, names: Sequence[str]) -> list[str]:
        """Methods by their keys in the file, each at every budget, or by the key of one of them.

        Raises:
            StudyError: no such method.
        """
        written = dict.fromkeys([*(budget.method for budget in self.budgets.values()), *self.content["methods"]])
        for name in names:
            known(name, written, "methods")
        return [key for key in self.content["methods"] if key in names or self.written(key) in names]

    def lacks(self, method: str, data: Container[str]) -> list[str]:
        """Data sets and files without which a method is left out (its `only_with`) and that are not given."""
        return [name for name in self.content["methods"][method].get("only_with", ()) if name not in data]


def read_study(file: Path) -> Study:
    """Read a study file.

    Raises:
        StudyError: an unknown key, placeholder, method or task, or cells that need each other in a circle.
        FileNotFoundError: no such file.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    check(content)
    content, budgets = at_budgets(content)
    made = {
        cell.id: cell
        for seed in content["seeds"]
        for method in content["methods"]
        for cell in _cells_of(content, method, seed)
    }
    return Study(file.resolve().parent.name, file, content, tuple(_needed_first(made)), budgets)


def with_needs(cells: Sequence[Cell], methods: Sequence[str], tasks: Sequence[str] = ()) -> list[Cell]:
    """The cells of some methods, and of some tasks unless none is named, and those they read from, in order."""
    by_id = {cell.id: cell for cell in cells}
    wanted: set[str] = set()
    waiting = [cell.id for cell in cells if cell.method in methods and (not tasks or cell.task in tasks)]
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += [need for need in by_id[name].needs if need not in wanted]
    return [cell for cell in cells if cell.id in wanted]


def _cells_of(content: Mapping[str, Any], method: str, seed: int) -> list[Cell]:
    entry = content["methods"][method]
    trained, cells = "bundle" in entry, []
    if trained:
        shared = content["pretraining"]
        configs = (*shared["configs"], *entry.get("configs", ()))
        options = {**shared.get("options", {}), **entry.get("options", {})}
        step = Step(configs, _planned(content, method, seed, options))
        encoder = entry.get("encoder", shared["encoder"])
        cells.append(
            Cell(
                method=method,
                task=None,
                seed=seed,
                bundle=entry["bundle"],
                steps=(step,),
                encoder=encoder,
                curve=tuple(shared.get("curve", {}).values()),
                images=content.get("images"),
                needs=_needs(content, seed, step.options),
            )
        )
    for task, about in content["tasks"].items():
        if method not in about.get("methods", content["methods"]):
            continue
        options = _planned(content, method, seed, {**about.get("options", {}), **entry.get("task_options", {})})
        if not trained:
            options = _without_encoder(options)
        needs = [cell_id(method, None, seed)] * trained + list(_needs(content, seed, options))
        cells.append(
            Cell(
                method=method,
                task=task,
                seed=seed,
                bundle=about["bundle"],
                steps=tuple(
                    Step(tuple(step["configs"]), options | _planned(content, method, seed, step.get("options", {})))
                    for step in about["steps"]
                ),
                metrics={title: Where(**where) for title, where in about.get("metrics", {}).items()},
                facts={title: Where(**where) for title, where in about.get("facts", {}).items()},
                needs=tuple(needs),
            )
        )
    return cells


def _without_encoder(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a method that has no encoder: left out, and none inside another, where its key is needed."""

    def none(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: none(item) for key, item in value.items()}
        return None if value == "{encoder}" else value

    return {key: none(value) for key, value in options.items() if value != "{encoder}"}


def _planned(content: Mapping[str, Any], method: str, seed: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with seed and epochs filled in, each of which the command line can carry."""
    for key, value in options.items():
        if value is None:
            raise StudyError(
                f"{method}: {key} is null, which the command line cannot carry; leave a part out by "
                f"`{key}#_disabled_: true`"
            )

    def resolve(name: str, key: str | None) -> int | None:
        if name == "seed":
            return seed
        if name == "labels":  # those of methods are filled in before
            raise StudyError(f"{{labels}}: {method} has no number of them; {LABELS} fill in options of methods alone")
        if name != "epochs":
            return None
        whole = _epochs(content, method)
        if whole is None:
            raise StudyError(
                f"{{epochs}}: {method} has no pre-training, or the study no views_budget or budgets; write a number"
            )
        if key is None:
            return whole
        parts = content["methods"][method].get("parts", {})
        return max(1, round(whole * parts[known(key, parts, f"methods.{method}.parts")]))

    return fill(options, resolve)


def _epochs(content: Mapping[str, Any], method: str) -> int | None:
    entry = content["methods"][method]
    budget = entry.get("views_budget", content.get("views_budget"))
    if "bundle" not in entry or budget is None:
        return None
    if "views_per_image" not in entry:
        raise StudyError(f"methods.{method} has no views_per_image: how many views one image gives in one epoch")
    return max(1, round(budget / (content["images"] * entry["views_per_image"])))


def _needs(content: Mapping[str, Any], seed: int, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the cells that options name in {runs[...]} and {encoders[...]}."""
    found: dict[str, None] = {}

    def note(name: str, key: str | None) -> None:
        if name in ("runs", "encoders"):
            method, _, task = (key or "").partition("/")
            if "bundle" not in content["methods"][known(method, content["methods"], "methods")] and not task:
                raise StudyError(f"{{{name}[{key}]}}: {method} has no pre-training to read from")
            found[cell_id(method, known(task, content["tasks"], "tasks") if task else None, seed)] = None

    fill(options, note)
    return tuple(found)


def _needed_first(cells: Mapping[str, Cell]) -> list[Cell]:
    """The cells in order, but each after the ones it needs."""
    ordered: dict[str, Cell] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise StudyError(f"these cells need each other: {' -> '.join([*above, name])}")
        if name not in cells:
            raise StudyError(f"{above[-1]} needs {name}, which is no cell: see `methods` of that task")
        for need in cells[name].needs:
            add(need, (*above, name))
        ordered.setdefault(name, cells[name])

    for name in cells:
        add(name, ())
    return list(ordered.values())
