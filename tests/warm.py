"""What every command does anew, done once in a process: forked children have it from the start."""

import inspect
from functools import cache


@cache
def share_components() -> None:
    """From now on all configs ask one table of MONAI's classes; each makes its own otherwise, in about a second."""
    from monai.bundle.config_item import ComponentLocator

    find = ComponentLocator._find_classes_or_functions

    @cache
    def of_module(name: str) -> dict[str, list[str]]:
        return find(None, name)

    def of_modules(_, names: list[str]) -> dict[str, list[str]]:
        table: dict[str, list[str]] = {}
        for module in names:
            for name, places in of_module(module).items():
                table.setdefault(name, []).extend(places)
        return table

    ComponentLocator._find_classes_or_functions = of_modules


@cache
def warm_commands() -> None:
    """Make that table, and find every module's file: Fire, which reads MONAI's command line, looks at the stack."""
    from monai.bundle import ComponentLocator

    share_components()
    ComponentLocator().get_component_module_name("ResNet")
    inspect.stack()
