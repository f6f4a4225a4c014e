"""The words of a command line: names, the launcher's own options, and what is passed on to MONAI."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .errors import UsageError, choose

OURS = ("config_file", "bundle_root")
FROM_YAML = {"true": "True", "false": "False", "null": "$None"}
"""What a recipe's words are on MONAI's command line, where they would be text."""


@dataclass
class Words:
    """A command line, taken apart.

    Args:
        names: words that belong to no option, in their order.
        own: values of the launcher's options by name; "" for one that has none.
        overrides: everything else, letter by letter but for `true`, `false` and `null` of a recipe.
    """

    names: list[str] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)

    @property
    def keys(self) -> set[str]:
        """Keys that the overrides set."""
        return set(values(self.overrides))


def parse(words: Sequence[str], switches: Collection[str] = (), options: Collection[str] = ()) -> Words:
    """Take a command line apart as Fire does: `--key=value`, or `--key` and the next word that is no key.

    Args:
        words: after the command's name.
        switches: the launcher's options without a value.
        options: the launcher's options with one.

    Raises:
        UsageError: an option lacks its value, or is one that the launcher writes itself.
    """
    found, waiting = Words(), list(words)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("--"):
            found.names.append(word)
            continue
        key, has_value, value = _key(word), "=" in word, word.partition("=")[2]
        if key in OURS:
            raise UsageError(f"--{key} is written by this command.", "Give the bundle, and then overlays or files.")
        if key in switches:
            found.own[key] = ""
            continue
        taken = [] if has_value or not waiting or waiting[0].startswith("--") else [waiting.pop(0)]
        if key not in options:
            word = f"{word.partition('=')[0]}={FROM_YAML.get(value, value)}" if has_value else word
            found.overrides += [word, *(FROM_YAML.get(text, text) for text in taken)]
        elif has_value or taken:
            found.own[key] = value if has_value else taken[0]
        else:
            raise UsageError(f"--{key} has no value.", f"Write --{key} VALUE.")
    return found


def values(overrides: Sequence[str]) -> dict[str, str]:
    """Overrides by key, as they were typed; "" for a key without a value."""
    found = {}
    for word, following in zip(overrides, [*overrides[1:], "--"], strict=False):
        if word.startswith("--"):
            _, has_value, value = word.partition("=")
            found[_key(word)] = value if has_value else "" if following.startswith("--") else following
    return found


def refuse_overrides(command: str, found: Words, options: Collection[str]) -> None:
    """Refuse options that a command, which passes nothing on to MONAI, does not have.

    Raises:
        UsageError: names the nearest.
    """
    for key in sorted(found.keys):
        raise UsageError(f"`{command}` has no option --{key}.", choose(key, sorted(options)))


def _key(word: str) -> str:
    return word.removeprefix("--").partition("=")[0].replace("-", "_")
