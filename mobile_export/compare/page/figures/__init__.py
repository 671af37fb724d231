"""The page's plots, as Vega-Lite specifications: plain data, which the library in the page draws.

Colours are the stylesheet's variables, so that plots follow it into the dark and onto paper. What a colour tells, a
shape tells, too. Text goes in as data alone, never into an expression.
"""

from collections.abc import Iterator

from mobile_export.compare.page.figures.figure import Figure
from mobile_export.compare.page.figures.layer_errors import layer_errors
from mobile_export.compare.page.figures.tradeoffs import latency_and_quality, size_and_quality
from mobile_export.compare.page.figures.trials import trials
from mobile_export.compare.result import Comparison

__all__ = ["Figure", "figures"]


def figures(comparison: Comparison) -> Iterator[Figure]:
    """All plots of which anything was measured."""
    for figure in (size_and_quality, latency_and_quality, layer_errors, trials):
        drawn = figure(comparison)
        if drawn.variants:
            yield drawn
