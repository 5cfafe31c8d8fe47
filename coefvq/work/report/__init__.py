"""A month's report: volumes, quality, costs, changes, alarms, transparency figures."""

from __future__ import annotations

from coefvq.work.report.make import figures_of as figures_of
from coefvq.work.report.model import Report as Report
from coefvq.work.report.page import render as render
