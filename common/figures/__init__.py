"""How pictures look: one colour per name, and the rules that keep everything readable and inside the canvas."""

from .outline import outline
from .panels import example_panels
from .style import HALO, TEXT, Style, as_written, rare_style, series, styles

__all__ = ["HALO", "TEXT", "Style", "as_written", "example_panels", "outline", "rare_style", "series", "styles"]
