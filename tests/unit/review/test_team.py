"""Several people on one queue: together by threads, and step by step against a model."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coefvq.errors import DecisionRefused, LeaseLost
from coefvq.review import decide, queue
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseRow, CaseState, DecisionRow
from tests.store_factory import route, scored, settings_at

KEEP = DecisionForm({}, "keep")
HUMAN = {"icd": route(), "ucc": route()}


def reviewer(name: str) -> Actor:
    return Actor(name, frozenset({"reviewer"}))


def token_of(view: CaseView) -> int:
    assert view.lease is not None and view.lease.token is not None
    return view.lease.token


def test_a_team_decides_every_case_exactly_once(store: Store, settings: Settings) -> None:
    for number in range(6):
        scored(store, settings, bytes([number]), routes=HUMAN)

    def work(actor: Actor) -> None:
        view = queue.next_case(store, settings, actor)
        while view is not None:
            view = decide.submit(store, settings, actor, view.id, token_of(view), KEEP).next

    threads = [threading.Thread(target=work, args=(reviewer(f"r{n}"),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        decided = [row.case_id for row in session.query(DecisionRow)]
        assert len(decided) == len(set(decided)) == 12
        assert cases.counts(session)["queued"] == 0
        assert events.verify(session) is None


class TeamMachine(RuleBasedStateMachine):
    """Three people open, decide, undo, skip and send on; a plain model says what must be."""

    people = st.sampled_from(["ann", "bob", "cyd"])
    forms = st.sampled_from(
        [KEEP, DecisionForm({"violence": True}, "remove", {"violence": "weapon used"})]
    )

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.settings = settings_at(Path(self.folder.name))
        self.store = open_store(self.settings.url)
        self.ids = [
            scored(self.store, self.settings, bytes([number]))["icd"] for number in range(3)
        ]
        self.seen: dict[str, CaseView] = {}
        self.owner: dict[str, str] = {}
        self.stack: list[tuple[str, str]] = []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    @rule(name=people)
    def next(self, name: str) -> None:
        view = queue.next_case(self.store, self.settings, reviewer(name))
        if view is not None:
            assert self.owner.get(view.id) in (None, name)
            assert view.second_look_by != name
            self.seen[name], self.owner[view.id] = view, name

    @rule(name=people, number=st.integers(0, 2))
    def opens(self, name: str, number: int) -> None:
        case_id = self.ids[number]
        view = queue.open_case(self.store, self.settings, reviewer(name), case_id)
        assert view.lease is not None
        assert view.lease.mine == (self.owner.get(case_id) in (None, name))
        if view.lease.mine:
            self.seen[name], self.owner[case_id] = view, name

    @rule(name=people, form=forms)
    def submits(self, name: str, form: DecisionForm) -> None:
        view = self.seen.pop(name, None)
        if view is None:
            return
        mine = self.owner.get(view.id) == name
        try:
            done = decide.submit(
                self.store, self.settings, reviewer(name), view.id, token_of(view), form
            )
        except LeaseLost:
            assert not mine
            return
        assert mine
        del self.owner[view.id]
        self.stack.append((name, view.id))
        if done.next is not None:
            self.seen[name], self.owner[done.next.id] = done.next, name

    @rule(name=people)
    def undoes(self, name: str) -> None:
        mine = [case_id for who, case_id in self.stack if who == name]
        latest = {case_id: who for who, case_id in self.stack}
        try:
            view = decide.undo_last(self.store, self.settings, reviewer(name))
        except DecisionRefused:
            taken = mine and self.owner.get(mine[-1]) not in (None, name)
            assert not mine or latest[mine[-1]] != name or taken
            return
        assert view.id == mine[-1]
        last = max(index for index, item in enumerate(self.stack) if item == (name, view.id))
        del self.stack[last]
        self.seen[name], self.owner[view.id] = view, name

    @rule(name=people, act=st.sampled_from(["skip", "second look", "release"]))
    def lets_go(self, name: str, act: str) -> None:
        view = self.seen.pop(name, None)
        if view is None or self.owner.get(view.id) != name:
            return
        actor, token = reviewer(name), token_of(view)
        following = None
        if act == "skip":
            following = queue.skip(self.store, self.settings, actor, view.id, token)
        elif act == "second look":
            following = decide.second_look(self.store, self.settings, actor, view.id, token)
        else:
            queue.release(self.store, actor, view.id, token)
        del self.owner[view.id]
        if following is not None:
            assert following.id != view.id
            self.seen[name], self.owner[following.id] = following, name

    @invariant()
    def what_stands_is_what_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.read() as session:
            assert decisions.count(session) == len(self.stack)
            for case in session.query(CaseRow).where(CaseRow.id.in_(self.ids)):
                standing = decisions.standing(session, case.id)
                assert case.decision_id == (standing.id if standing else None)
                if case.state == CaseState.DECIDED:
                    assert standing is not None

    @invariant()
    def the_chain_holds(self) -> None:
        if hasattr(self, "store"):
            with self.store.read() as session:
                assert events.verify(session) is None


TeamMachine.TestCase.settings = hypothesis_settings(
    max_examples=15, stateful_step_count=25, deadline=None, derandomize=True
)
TestTeamMachine = TeamMachine.TestCase
