"""What the pages show, as frozen data: no session, no ORM row ever leaves the services.

Every text that came with or out of a video (``title``, ``caption``, ``original_name``,
lines, quotes) is hostile and is escaped by whoever shows it. Times are UTC. Probabilities
are calibrated, 0..1, and ``None`` where a policy is not covered.
"""

from __future__ import annotations

from coefvq.review.case_views import AssessmentView as AssessmentView
from coefvq.review.case_views import CaseView as CaseView
from coefvq.review.case_views import Disagreement as Disagreement
from coefvq.review.case_views import LeaseView as LeaseView
from coefvq.review.case_views import NoteView as NoteView
from coefvq.review.case_views import PolicyView as PolicyView
from coefvq.review.case_views import RouteView as RouteView
from coefvq.review.case_views import ScoreView as ScoreView
from coefvq.review.case_views import VideoView as VideoView
from coefvq.review.decision_views import DecisionForm as DecisionForm
from coefvq.review.decision_views import DecisionView as DecisionView
from coefvq.review.decision_views import DraftView as DraftView
from coefvq.review.decision_views import Submitted as Submitted
from coefvq.review.library_views import CaseBadge as CaseBadge
from coefvq.review.library_views import IngestProgress as IngestProgress
from coefvq.review.library_views import JobView as JobView
from coefvq.review.library_views import LibraryItem as LibraryItem
from coefvq.review.library_views import LibraryPage as LibraryPage
from coefvq.review.queue_views import QueueCounts as QueueCounts
from coefvq.review.queue_views import QueueView as QueueView
