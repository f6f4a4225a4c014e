"""`help`: the commands, or a bundle: its keys, its overlays, and what to type."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from . import words
from .bundles import Bundle, bundles, find_bundle, first_sentence
from .errors import UsageError, choose
from .line import near
from .listing import cut, overlay_lines, task
from .recipe_keys import Key, recipe_keys

USAGE = "help [BUNDLE or COMMAND]"
HELP = """Show a bundle's keys with their comments, its overlays and its commands; or what a command takes."""
VALUE = 46  # columns of a value, beyond which it is cut


def explain(arguments: Sequence[str], commands: dict[str, tuple[str, str]]) -> int:
    """Print what is asked for.

    Args:
        arguments: a bundle, a command, or nothing.
        commands: usage and explanation of every command.

    Raises:
        UsageError: neither a bundle nor a command is called so.
    """
    given = words.parse(arguments)
    words.refuse_overrides("help", given, [])
    if not given.names:
        print(overview(commands))
        return 0
    for name in given.names:
        if name in commands:
            print("python -m common {}\n\n{}".format(*commands[name]))
            continue
        try:
            bundle = find_bundle(name)
        except UsageError as error:
            raise UsageError(f"There is no bundle or command {name}.", choose(name, [*bundles(), *commands])) from error
        print("\n".join(cut(line) for line in _bundle_lines(bundle)))
    return 0


def overview(commands: dict[str, tuple[str, str]]) -> str:
    """Every command in a line."""
    width = max(len(usage) for usage, _ in commands.values())
    first = (f"  python -m common {usage:<{width}}  {first_sentence(told)}" for usage, told in commands.values())
    return "\n".join(["Short forms of MONAI's commands; each prints the one that it stands for.", "", *first])


def _bundle_lines(bundle: Bundle) -> Iterator[str]:
    yield f"{bundle.name}: {task(bundle)}"
    yield f"{near(bundle.folder / 'docs' / 'README.md')} says how it works."
    yield ""
    yield f"  python -m common run {bundle.name} [OVERLAY ...] [--key value ...]"
    if bundle.trains:
        yield "  python -m common evaluate RUN          RUN is a folder such as runs/" + f"{bundle.name}/NAME"
        yield "  python -m common infer RUN IMAGES"
        yield "  python -m common export RUN"
    yield ""
    yield "Overlays:"
    yield from overlay_lines(bundle)
    yield ""
    yield "Keys: --key value, and --a#b value for b inside of a"
    for file, keys in recipe_keys(bundle.config(bundle.recipe)):
        yield f"\n{near(file)}:"
        yield from _key_lines(keys)


def _key_lines(keys: Sequence[Key]) -> Iterator[str]:
    width = max((len(key.name) for key in keys), default=0)
    for section, members in groupby(keys, key=lambda key: key.section):
        if section:
            yield f"  --- {section} ---"
        for key in members:
            value = key.value if len(key.value) <= VALUE else f"{key.value[: VALUE - 4]} ..."
            yield f"  {key.name:<{width}}  {value:<{VALUE}}  {key.comment}".rstrip()
