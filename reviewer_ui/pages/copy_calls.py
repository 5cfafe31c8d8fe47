"""The copy beside its original: what Review and a video's own page ask of it, and answer."""

from __future__ import annotations

from collections.abc import Sequence

from coefvq.errors import CoefVQError, StoreError
from coefvq.review import case_view, copies, copy_answers, history, preferences, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.copy_views import CopyPair
from coefvq.review.views import CaseView, VideoView
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, needed, text
from reviewer_ui.components import copy_list, copy_pair, player
from reviewer_ui.components.copy_pair import Side
from reviewer_ui.markup import NOTHING, Markup
from reviewer_ui.pages.review_tools import CaseTools

EMPTY = dict.fromkeys(copy_pair.REGIONS, NOTHING)
SAID = {
    "confirmed": "Confirmed: it is a copy.",
    "rejected": "Rejected: this pair is not offered again.",
}
PUT_AWAY = " The matched footage proves nothing anywhere from now on."
SCORED_AGAIN = " {} scored again when nobody has a case of it open."


class CopyCalls:
    """What both pages share. It keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def body(
        self,
        actor: Actor,
        pairs: Sequence[CopyPair],
        here: Side,
        wanted: str = "",
        strip: Markup | None = None,
    ) -> dict[str, Markup]:
        """The regions of one pair, by default the first."""
        if not pairs:
            return EMPTY if strip is None else EMPTY | {"copy-strip": strip}
        chosen = _among(pairs, wanted) if wanted else pairs[0]
        return {
            "copy-strip": copy_pair.strip(pairs) if strip is None else strip,
            "copy-videos": copy_pair.videos(chosen, here, self._there(actor, chosen, here)),
            "copy-facts": copy_pair.facts(
                chosen,
                may_answer=actor.may(Permission.DECIDE),
                may_lead=actor.may(Permission.LEAD),
            ),
            "copy-others": copy_list.others(pairs, chosen.match_id),
        }

    def say(self, actor: Actor, args: Args) -> copy_answers.Answered:
        """Store the answer of a call."""
        return copy_answers.answer(
            self.store,
            self.settings,
            actor,
            needed(args, "match"),
            text(args, "said", limit=16),
            proves_nothing=args.get("nothing") is True,
        )

    def _there(self, actor: Actor, pair: CopyPair, here: Side) -> Side | None:
        video = pair.original.video
        if video is None:
            return None
        severe = here.severe or self._severe(actor, video)
        return Side(video, severe, queues.is_restricted(self.store, actor, video.id))

    def _severe(self, actor: Actor, video: VideoView) -> bool:
        """Whether the original itself may violate a severe policy; where nobody knows, it may.

        Only looked up for who blurs by it.
        """
        if preferences.load(self.store, actor)["blur"] != "severe":
            return True
        try:
            heads = history.of_video(self.store, actor, video.id, self.settings).cases
            cases = [case_view.view(self.store, self.settings, actor, h.case_id) for h in heads]
        except CoefVQError:
            return True
        least = self.settings.exposure_severity
        return not cases or any(player.may_be_severe(case, least) for case in cases)


class CaseCopies(CopyCalls):
    """The calls of Review: by case, with what the reviewer of it may know."""

    def __init__(self, store: Store, settings: Settings, tools: CaseTools) -> None:
        super().__init__(store, settings)
        self.tools = tools

    def regions(self, actor: Actor, case: CaseView, wanted: str = "") -> dict[str, Markup]:
        """The pair of a case; nothing of it where there is none, or none is shown yet."""
        if not case.pairs:
            return EMPTY
        severe = self.tools.severe(actor, case)
        here = Side(case.video, severe, self.tools.restricted(actor, case))
        return self.body(actor, case.pairs, here, wanted)

    def copy_pair(self, actor: Actor, args: Args) -> Answer:
        """Show one match of the case."""
        case = case_view.view(self.store, self.settings, actor, needed(args, "case"))
        pair = _among(case.pairs, needed(args, "match"))
        return {"regions": self.regions(actor, case, pair.match_id)}

    def answer_copy(self, actor: Actor, args: Args) -> Answer:
        """Confirm or reject a match of the case."""
        require(actor, Permission.DECIDE)
        case_id, match = needed(args, "case"), needed(args, "match")
        before = case_view.view(self.store, self.settings, actor, case_id)
        _among(before.pairs, match)
        done = self.say(actor, args)
        case = case_view.view(self.store, self.settings, actor, case_id)
        made = answered(case.pairs, done) | {"regions": self.regions(actor, case, match)}
        pair = _among(case.pairs, match)
        proposed = copy_answers.proposal(case, pair) if pair.confirmed else None
        return made | {"proposal": vars(proposed) if proposed else None}


class VideoCopies(CopyCalls):
    """The calls of a video's own page."""

    def regions(self, actor: Actor, video: VideoView, wanted: str = "") -> dict[str, Markup]:
        """What is known of its copies, and the first pair."""
        found = copies.of_video(self.store, self.settings, actor, video.id)
        here = Side(video, True, queues.is_restricted(self.store, actor, video.id))
        return self.body(actor, found.pairs, here, wanted, copy_list.listed(found))

    def copy_pair(self, actor: Actor, args: Args) -> Answer:
        """Show one match of the video."""
        match = needed(args, "match")
        _among(copies.of_video(self.store, self.settings, actor, needed(args, "id")).pairs, match)
        video = history.video(self.store, self.settings, actor, needed(args, "id"))
        return {"regions": self.regions(actor, video, match)}

    def answer_copy(self, actor: Actor, args: Args) -> Answer:
        """Confirm or reject a match of the video."""
        require(actor, Permission.DECIDE)
        video_id, match = needed(args, "id"), needed(args, "match")
        _among(copies.of_video(self.store, self.settings, actor, video_id).pairs, match)
        done = self.say(actor, args)
        found = copies.of_video(self.store, self.settings, actor, video_id)
        video = history.video(self.store, self.settings, actor, video_id)
        return answered(found.pairs, done) | {"regions": self.regions(actor, video, match)}


def answered(pairs: Sequence[CopyPair], done: copy_answers.Answered) -> Answer:
    """What to say of an answer, and which pair comes next: after a rejection the next open one."""
    rejected = done.said == "rejected"
    open_ones = [pair.match_id for pair in pairs if pair.answer is None]
    put_away = PUT_AWAY if "do_not_match" in done.added else ""
    return {
        "said": SAID[done.said] + put_away + _again(len(done.scored_again)),
        "following": open_ones[0] if rejected and open_ones else None,
        "close": True,
    }


def _again(videos: int) -> str:
    if not videos:
        return ""
    return SCORED_AGAIN.format("The video is" if videos == 1 else f"{videos} videos are")


def _among(pairs: Sequence[CopyPair], match_id: str) -> CopyPair:
    for pair in pairs:
        if pair.match_id == match_id:
            return pair
    raise StoreError("This match is not there any more. Reload the page to see what is.")
