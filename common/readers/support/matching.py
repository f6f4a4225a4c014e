r"""Which name of a table, list or mask folder means which image: one rule for everything that comes beside images.

An image is named by its path below the root, or by the end of that path: as much of it as tells it from all others,
with suffix or without. A bare name serves only where it is the name of one image and of one line.
"""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few, printable
from .suffixes import below, stem

Parts = tuple[str, ...]
Form = Callable[[Parts], Parts]  # what of a path has to be alike; nothing where the path is too short for it
Side = TypeVar("Side", bound=Hashable)


@dataclass
class Match:
    """Images and the names that mean them.

    Args:
        name_of: image -> name.
        again: other spellings of the name of an image -> that image.
        lost: names of no image here, in their order.
    """

    name_of: dict[Path, str] = field(default_factory=dict)
    again: dict[str, Path] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def refuse_contrary(self, said: Callable[[str], object], where: object) -> None:
        """Refuse spellings of one image of which not the same is said.

        Args:
            said: gives what is said of a name, comparable.
            where: file or folder of the names, for messages.

        Raises:
            DatasetError: naming both spellings.
        """
        pairs = ((self.name_of[image], name) for name, image in self.again.items())
        contrary = [f"{name} and {other}" for name, other in pairs if said(name) != said(other)]
        if contrary:
            problem = (
                f"{len(contrary)} images are named twice, and not the same is said of them ({first_few(contrary)})"
            )
            raise DatasetError(str(where), problem, "Keep one name per image")


def match(
    names: Iterable[str], images: Sequence[Path], bases: Sequence[Path], where: object, suffixes: bool = True
) -> Match:
    r"""Find the image that each name means, and no image twice.

    Args:
        names: each once; folders are separated by / or \.
        images: all images of the data set, since a name must tell one from all others.
        bases: folders that the names may be relative to, the root first.
        where: file or folder of the names, for messages.
        suffixes: whether a name's suffix is its image's; a mask's is not.

    Raises:
        DatasetError: names that may mean several images, or images that several names may mean.
    """
    spellings: dict[Parts, str] = {}
    split: dict[str, Parts] = {}
    found = Match()
    same: dict[str, str] = {}  # another spelling of the same path -> the first one
    for name in names:
        parts = _parts(name)
        first = spellings.setdefault(parts, name)
        if first == name:
            split[name] = parts
        else:
            same[name] = first
    alike: dict[str, tuple[list[Path], list[str]]] = defaultdict(lambda: ([], []))
    for image in images:
        alike[stem(plain_name(image.name))][0].append(image)
    for name, parts in split.items():
        alike[stem(parts[-1])][1].append(name)
    bare_is_enough = all(len(there) <= 1 and len(named) <= 1 for there, named in alike.values())

    exact = _exact(split, images, bases, suffixes)
    apart: dict[Path, str] = {}  # alike at the end, but below other folders
    unclear: list[str] = []
    for there, named in alike.values():
        if all(name in exact for name in named):
            found.name_of |= {exact[name]: name for name in named}
            continue
        if len(there) == len(named) == 1:
            pairs = {there[0]: named[0]}
            ways = {there[0]: _below(there[0], bases)} if len(split[named[0]]) > 1 else {}
        elif there and named:
            ways = {image: _below(image, bases) for image in there}
            pairs = _pairs(ways, {name: split[name] for name in named}, suffixes)
            unclear += _unclear(ways, {name: split[name] for name in named}, pairs)
        else:
            continue
        for image, name in pairs.items():
            other = ways and not any(_fits(parts, split[name]) for parts in ways[image])
            (apart if other else found.name_of)[image] = name
    if unclear:
        problem = f"{len(unclear)} names may mean several images, or images several names ({first_few(unclear)})"
        raise DatasetError(str(where), problem, "Name images by their path below the root, or keep one of them")
    if apart and (bare_is_enough or len(_renamed(apart, split, bases)) == 1):
        found.name_of |= apart
        examples = first_few(f"{name} for {image.relative_to(bases[0])}" for image, name in apart.items())
        add_notice(
            f"{len(apart)} names of {_short(where)} fit by the end of their path alone: folders differ ({examples})"
        )
    image_of = {name: image for image, name in found.name_of.items()}
    for name in split.keys() - image_of.keys():
        there = [image for image in alike[stem(split[name][-1])][0] if _names(split[name], image, bases, suffixes)]
        if len(there) == 1 and there[0] in found.name_of:
            found.again[name] = there[0]
    image_of |= found.again
    found.again |= {name: image_of[first] for name, first in same.items() if first in image_of}
    found.lost = [name for name in (*split, *same) if same.get(name, name) not in image_of]
    return found


def plain_name(name: str) -> str:
    """Return one spelling of a name: composed letters, and bytes that are no UTF-8 read as Windows-1252."""
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("cp1252", "replace")
    return unicodedata.normalize("NFC", name)


def _parts(name: str) -> Parts:
    return tuple(part for part in plain_name(name).replace("\\", "/").split("/") if part not in ("", ".")) or ("",)


def _below(image: Path, bases: Sequence[Path]) -> list[Parts]:
    ways = dict.fromkeys(plain_name(way) for base in bases if (way := below(image, base)))
    return [tuple(way.split("/")) for way in ways] or [()]


def _exact(
    names: Mapping[str, Parts], images: Sequence[Path], bases: Sequence[Path], suffixes: bool
) -> dict[str, Path]:
    """Return name -> image where a name is the whole path of one image, below any base, and no other name is."""

    def key(path: str) -> str:
        folder, slash, name = plain_name(path).rpartition("/")
        return folder + slash + (name if suffixes else stem(name))

    there: dict[str, Path | None] = {}
    for base in dict.fromkeys(bases):
        for image in images:
            way = key(below(image, base))
            there[way] = image if there.get(way, image) == image else None
    named: dict[str, str | None] = {}
    for name, parts in names.items():
        way = key("/".join(parts))
        named[way] = None if way in named else name
    pairs = [(name, there.get(way)) for way, name in named.items() if way and name is not None]
    images_of = Counter(image for _, image in pairs)
    return {name: image for name, image in pairs if image is not None and images_of[image] == 1}


def _pairs(images: Mapping[Path, Sequence[Parts]], names: Mapping[str, Parts], suffixes: bool) -> dict[Path, str]:
    """Pair images and names by the longest end of their paths that only one of each has."""
    pairs: dict[Path, str] = {}
    taken: set[str] = set()
    for form, folders in _forms(max(map(len, names.values())), suffixes):
        there = _unique((image, form(parts)) for image, ways in images.items() for parts in ways)
        named = _unique((name, form(parts)) for name, parts in names.items())
        for key in there.keys() & named.keys():
            image, name = there[key], named[key]
            agreed = folders or any(_fits(parts, names[name]) for parts in images[image])
            if agreed and image not in pairs and name not in taken:
                pairs[image] = name
                taken.add(name)
        if len(taken) == len(names) or len(pairs) == len(images):
            break
    return pairs


def _forms(longest: int, suffixes: bool) -> Iterator[tuple[Form, bool]]:
    """Give what may have to be alike, the strictest first, and whether folders are part of it."""
    exactness = (True, False) if suffixes else (False,)
    for length in (0, *range(longest, 0, -1)):
        for exact in exactness:
            yield partial(_end, length=length, exact=exact), length != 1


def _end(parts: Parts, length: int, exact: bool) -> Parts:
    """The last parts of a path, the whole of it for 0, as it is or without suffix."""
    if len(parts) < length:
        return ()
    end = parts[-length:]
    return (*([""] if length == 0 else []), *end[:-1], end[-1] if exact else stem(end[-1])) if end else ()


def _unique(sides: Iterable[tuple[Side, Parts]]) -> dict[Parts, Side]:
    """Return key -> the one side that has it."""
    pairs = {pair for pair in sides if pair[1]}
    counts = Counter(key for _, key in pairs)
    return {key: side for side, key in pairs if counts[key] == 1}


def _unclear(
    images: Mapping[Path, Sequence[Parts]], names: Mapping[str, Parts], pairs: Mapping[Path, str]
) -> list[str]:
    """Say which names are left that may mean an image that is left."""
    lines = []
    free = [image for image in images if image not in pairs]
    for name in names.keys() - set(pairs.values()) if free else ():
        fitting = [image for image in free if any(_fits(parts, names[name]) for parts in images[image])]
        lines += [f"{name}: {' or '.join('/'.join(images[image][0]) for image in fitting[:3])}"] * bool(fitting)
    return sorted(lines)


def _fits(image: Parts, name: Parts) -> bool:
    """Whether one path ends in the other, whatever the suffixes; the last parts are alike already."""
    shared = min(len(image), len(name))
    return shared < 2 or image[-shared:-1] == name[-shared:-1]


def _names(name: Parts, image: Path, bases: Sequence[Path], suffixes: bool) -> bool:
    """Whether a name can mean this image alone: it ends the image's path, or holds it with a folder at least."""
    own = plain_name(image.name)
    if suffixes and name[-1].lower() not in (own.lower(), stem(own).lower()):
        return False
    whole = tuple(plain_name(str(image)).split("/"))[:-1]
    folders = len(name) - 1
    return whole[len(whole) - folders :] == name[:-1] or any(
        len(way) > 1 and name[-len(way) : -1] == way[:-1] for way in _below(image, bases)
    )


def _renamed(apart: Mapping[Path, str], names: Mapping[str, Parts], bases: Sequence[Path]) -> set[tuple[str, str]]:
    """Return the folders that differ between images and their names: one pair where a folder was renamed."""
    pairs = set()
    for image, name in apart.items():
        both = list(zip(reversed(_below(image, bases)[-1][:-1]), reversed(names[name][:-1]), strict=False))
        pairs |= {next((one, other) for one, other in both if one != other)}
    return pairs


def _short(where: object) -> str:
    return printable(Path(str(where)).name)
