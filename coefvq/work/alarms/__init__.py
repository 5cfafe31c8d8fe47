"""Alarms: what is checked regularly, raised once, cleared when it is over, and sent on."""

from __future__ import annotations

from coefvq.work.alarms.desk import Alarm as Alarm
from coefvq.work.alarms.run import Checked as Checked
from coefvq.work.alarms.run import check as check
from coefvq.work.alarms.run import check_all as check_all
from coefvq.work.alarms.run import watch_worker as watch_worker
from coefvq.work.alarms.watch import Watch as Watch
