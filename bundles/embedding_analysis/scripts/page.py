"""The page that shows encoders beside each other; its pictures lie beside it."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c1c1c; background: #fff; margin: 1.5rem 2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem; }
p { max-width: 62rem; margin: .3rem 0 .8rem; } .quiet { color: #555; }
table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child, .facts th, .facts td { text-align: left; }
td.best { font-weight: 700; } .wide { overflow-x: auto; }
.row { display: grid; grid-auto-flow: column; justify-content: start; gap: .8rem; align-items: start; }
figure { margin: 0; width: 307px; } figcaption { font-weight: 600; padding-bottom: .2rem; }
img { width: 100%; display: block; }
nav a { margin-right: 1rem; }
"""


class Section(NamedTuple):
    """One analysis of the page.

    Args:
        name: of the analysis.
        title: above it.
        about: what is asked, and how it is read.
        numbers: encoder -> number.
        best: by number, the encoders that have the best value.
        pictures: encoder -> file beside the page.
    """

    name: str
    title: str
    about: str
    numbers: Mapping[str, Mapping[str, float]]
    best: Mapping[str, Sequence[str]]
    pictures: Mapping[str, str]


def page(title: str, facts: str, encoders: Mapping[str, Mapping[str, Any]], sections: Sequence[Section]) -> str:
    """The page as text; everything that it needs is in it, but for the pictures.

    Args:
        title: of the page.
        facts: which images were looked at.
        encoders: what is known of each, by name.
        sections: in their order.
    """
    links = "".join(f'<a href="#{escape(it.name)}">{escape(it.title)}</a>' for it in sections)
    keys = list(dict.fromkeys(key for known in encoders.values() for key in known))
    rows = [[name, *(_text(known.get(key)) for key in keys)] for name, known in encoders.items()]
    parts = [
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{STYLE}</style></head><body>",
        f'<h1>{escape(title)}</h1><p class="quiet">{escape(facts)}</p><nav>{links}</nav>',
        _table(["encoder", *keys], [[f"<td>{escape(cell)}</td>" for cell in row] for row in rows], "facts"),
        *(_section(it) for it in sections),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _section(section: Section) -> str:
    encoders = list(section.numbers)
    names = dict.fromkeys(name for numbers in section.numbers.values() for name in numbers)
    rows = []
    for name in names:
        cells = [f"<td>{escape(name.replace('_', ' '))}</td>"]
        for encoder in encoders:
            best = ' class="best"' if encoder in section.best.get(name, ()) else ""
            cells.append(f"<td{best}>{number(section.numbers[encoder].get(name))}</td>")
        rows.append(cells)
    pictures = "".join(
        f'<figure><figcaption>{escape(encoder)}</figcaption><img src="{escape(file)}" '
        f'alt="{escape(section.title)}, {escape(encoder)}"></figure>'
        for encoder, file in section.pictures.items()
    )
    return (
        f'<section id="{escape(section.name)}"><h2>{escape(section.title)}</h2><p>{escape(section.about)}</p>'
        f'{_table(["", *encoders], rows)}<div class="wide"><div class="row">{pictures}</div></div></section>'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "numbers") -> str:
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table class="{kind}"><tr>{heads}</tr>{body}</table></div>'


def number(value: float | None) -> str:
    """Three digits; whole numbers as they are, and a dash where there is none.

    Example:
        >>> number(0.12345), number(48.0), number(123.456), number(float("nan"))
        ('0.123', '48', '123', '–')
    """
    if value is None or value != value:
        return "–"
    return f"{value:.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)
