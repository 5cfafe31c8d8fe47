"""Small plots as SVG text: for pages, reports and files. Standard library only.

Every colour is a CSS variable of the pages with a fallback, so that a plot follows the page's
theme and a file opened alone is readable too. There is no script; every text is escaped here.
"""

from coefvq.plots.axis import Axis
from coefvq.plots.bars import Bar, bar_chart
from coefvq.plots.lines import Band, Line, Mark, line_chart

__all__ = ["Axis", "Band", "Bar", "Line", "Mark", "bar_chart", "line_chart"]
