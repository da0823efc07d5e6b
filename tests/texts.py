"""Whether the texts of a figure can be read."""

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def texts_overlap(figure):
    """Pairs of visible texts of a figure whose boxes cover each other, or leave the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    hidden = set(map(id, _undrawn(figure)))
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    width, height = canvas.get_width_height()
    clipped = [
        text
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    shrunk = [(text, box.shrunk(0.9, 0.9).extents.tolist()) for text, box in boxes]
    covered = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(shrunk, 2)
        if a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
    ]
    return clipped + covered


def _undrawn(figure):
    """Labels of ticks beyond the limits of their axis: they exist, but are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not axes.axison or not low - slack <= tick.get_loc() <= high + slack:
                    yield from (tick.label1, tick.label2)
