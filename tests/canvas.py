"""What is wrong with a figure as it is drawn: text that is small or leaves the canvas, legends over axes."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

SMALLEST = 8  # points


def faults(figure: Figure) -> list[str]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, page, found = canvas.get_renderer(), figure.bbox, []
    drawn = figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)  # without ticks beyond the limits
    if drawn.x0 < page.x0 - 1 or drawn.y0 < page.y0 - 1 or drawn.x1 > page.x1 + 1 or drawn.y1 > page.y1 + 1:
        found.append(f"something leaves the canvas: {drawn.extents.round()} of {page.extents.round()}")
    for text in figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible() and artist.get_text()):
        if text.get_fontsize() < SMALLEST:
            found.append(f"{text.get_text()!r} has {text.get_fontsize()} points")
    for legend in figure.findobj(Legend):
        for axes in figure.axes:
            if legend.get_window_extent(renderer).padded(-1).overlaps(axes.get_window_extent(renderer).padded(-1)):
                found.append("a legend lies over axes")
    return found
