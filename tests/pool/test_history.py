"""Any history: the pool and the plain model of it agree on who may serve, and on when."""

import collections
import math
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.pacific import day_of
from gemproxy.pool.pool import Nobody, Outcome, Pick, Pool, Wish
from gemproxy.pool.state import Change, Home, Rest, Sickness, Spent, Use, Why
from tests.pool.naive import Naive, Request, nobody
from tests.pool.refusals import PER_DAY, PER_MINUTE, error, exhausted, info, retry, violations

START = 1_783_713_600.0  # 2026-07-10 20:00:00 UTC, 11 hours before midnight in California
LIMITS = {"minute": Limits(rpm=2), "tokens": Limits(tpm=100), "day": Limits(rpm=3, rpd=4)}
MODELS = ("free", *LIMITS)
PROJECTS = {
    name: Project(name, tuple(Key(f"{name}-{number}", name) for number in range(keys)))
    for name, keys in {"one": 1, "two": 2, "three": 1}.items()
}

QUOTAS: dict[str, tuple[dict[str, Any], Why, float]] = {
    "minute": (exhausted(violations(PER_MINUTE), retry("20s")), Why.MINUTE, 20.0),
    "longer": (exhausted(violations(PER_MINUTE), retry("50s")), Why.MINUTE, 50.0),
    "day": (exhausted(violations(PER_DAY), retry("36s")), Why.DAY, 0.0),
    "nothing": (exhausted(violations(PER_DAY, value="0")), Why.ABSENT, 0.0),
    "bare": (exhausted(message="Resource has been exhausted"), Why.BARE, 0.0),
}
AILMENTS = {
    "invalid": (error(400, "INVALID_ARGUMENT", "x", info("API_KEY_INVALID")), Why.INVALID),
    "billing": (error(400, "FAILED_PRECONDITION", "no billing account linked"), Why.BILLING),
}
BLAMELESS: dict[str, tuple[int | None, dict[str, Any] | None]] = {
    "served": (200, None),
    "lost": (None, None),
    "overloaded": (503, error(503, "UNAVAILABLE", "The model is overloaded.")),
    "argument": (400, error(400, "INVALID_ARGUMENT", "x")),
    "page": (429, None),
    "location": (400, error(400, "FAILED_PRECONDITION", "User location is not supported")),
}


@attrs.define
class Kept:
    """What a store keeps: the last change about each thing, and sums of requests."""

    last: dict[object, Change] = attrs.field(factory=dict)
    spent: collections.Counter[tuple[str, str, str]] = attrs.field(factory=collections.Counter)

    def keep(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, Spent):
                self.spent[change.project, change.model, change.day] += change.requests
            elif isinstance(change, Rest):
                self.last[change.project, change.model] = change
            elif isinstance(change, Sickness):
                self.last[change.key] = change
            elif isinstance(change, Use):
                self.last[Use, change.key] = change
            else:
                assert isinstance(change, Home)
                self.last[change.opening] = change

    def all(self) -> list[Change]:
        return [*self.last.values(), *(Spent(*of, requests) for of, requests in self.spent.items())]


class History(RuleBasedStateMachine):
    """Picks, answers, time, and what the operator does."""

    @initialize(
        strategy=st.sampled_from(["least_used", "round_robin", "weighted"]),
        names=st.sets(st.sampled_from(sorted(PROJECTS)), min_size=1),
    )
    def begin(self, strategy: str, names: set[str]) -> None:
        self.now = START
        self.strategy = strategy
        self.kept = Kept()
        self.configured = {name: PROJECTS[name] for name in sorted(names)}
        self.naive = Naive(self.configured, LIMITS)
        self.flying: list[tuple[Pick, Request]] = []
        self.pool = self.new_pool()

    def new_pool(self) -> Pool:
        return Pool(self.naive.projects.values(), self.strategy, LIMITS)

    @rule(
        model=st.sampled_from(MODELS),
        project=st.sampled_from([None, None, *PROJECTS, "unknown"]),
        tokens=st.sampled_from([0, 30, 60, 500]),
        opening=st.sampled_from([(), (b"1",), (b"1", b"2")]),
        caller=st.sampled_from(["", "ann"]),
        tried=st.sets(st.sampled_from([k.name for p in PROJECTS.values() for k in p.keys])),
    )
    def pick(self, model: str, project: str | None, tokens: int, **wish: Any) -> None:
        now, naive = self.now, self.naive
        asked = [project] if project else list(naive.projects)
        able = {p for p in asked if naive.can(p, model, tokens, now, now)}
        probed = {p for p in asked if naive.may_probe(p, model, tokens, now)}
        answer = self.pool.pick(Wish(model, project, tokens=tokens, **wish), now)
        if isinstance(answer, Nobody):
            self.agree_on_nobody(answer, asked, model, tokens)
            assert not able
            assert not probed or wish["tried"]
            return
        assert answer.key.project in (probed if answer.probe else able)
        assert not (answer.probe and able)
        assert answer.key.name in naive.well(answer.key.project)
        untried = {k for p in able for k in naive.well(p)} - wish["tried"]
        assert answer.key.name not in wish["tried"] or not untried
        request = Request(answer.key.project, model, tokens, now, answer.probe)
        naive.requests.append(request)
        if answer.probe:
            naive.rests[request.project, model].at = now
        self.flying.append((answer, request))

    def agree_on_nobody(self, answer: Nobody, asked: list[str], model: str, tokens: int) -> None:
        naive, now = self.naive, self.now
        times = {p: naive.until(p, model, tokens, now) for p in asked}
        well = any(map(naive.well, asked))
        assert answer.until == nobody(times)
        assert answer.sick == (not well)
        assert answer.absent == (well and answer.until is None)

    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        if self.flying:
            pick, request = data.draw(st.sampled_from(self.flying))
            self.pool.answered(pick, self.now)
            self.note_answer(request)

    def note_answer(self, request: Request) -> None:
        if request.answered is None:
            request.answered = self.now
            request.day = day_of(self.now).name

    @rule(
        data=st.data(),
        how=st.sampled_from([*QUOTAS, *AILMENTS, *BLAMELESS]),
        in_stream=st.booleans(),
        tokens=st.sampled_from([None, 10, 90]),
    )
    def end(self, data: st.DataObject, how: str, tokens: int | None, *, in_stream: bool) -> None:
        if not self.flying:
            return
        pick, request = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        naive, now = self.naive, self.now
        refusal = QUOTAS.get(how, AILMENTS.get(how, (None,)))[0]
        status, failure = (
            BLAMELESS.get(how, (200 if in_stream else refusal["code"], refusal))
            if (refusal)
            else BLAMELESS[how]
        )
        if status is None and request.answered is not None:
            status = 200  # the head has come
        self.pool.over(pick, Outcome(status, failure, tokens=tokens), now)
        if status is not None:
            self.note_answer(request)
            request.tokens = request.tokens if tokens is None else tokens
        request.ended = now
        if request.project not in naive.projects:
            return
        if how in QUOTAS:
            naive.refused(request, *QUOTAS[how][1:], now)
        elif how in AILMENTS:
            why = AILMENTS[how][1]
            keys = [key.name for key in naive.projects[request.project].keys]
            naive.fell(keys if why is Why.BILLING else [pick.key.name], why, request, now)
        elif status == 200:
            naive.served(request)
            if naive.since.get(pick.key.name, math.inf) <= request.at:
                del naive.since[pick.key.name]

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0, 29.5, 60.0, 1800.0, 3600.0, 12 * 3600.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=st.sampled_from([*PROJECTS, "unknown"]), by_key=st.booleans())
    def clear(self, name: str, *, by_key: bool) -> None:
        self.now += 0.001
        project = self.naive.projects.get(name)
        keys = [key.name for key in project.keys] if project else []
        if by_key and keys:
            keys = keys[:1]
        ended = self.naive.clear(name, keys, self.now) if project else 0

        assert self.pool.clear(keys[0] if by_key and keys else name, self.now) == ended
        assert self.pool.clear(keys[0] if by_key and keys else name, self.now) == 0

    @rule(data=st.data())
    def check(self, data: st.DataObject) -> None:
        self.now += 0.001
        if self.naive.sick:
            key = data.draw(st.sampled_from(sorted(self.naive.sick)))
            self.pool.checked(key, Outcome(200), self.now)
            self.naive.recovered(key, self.now)

    @rule(names=st.sets(st.sampled_from(sorted(PROJECTS)), min_size=1))
    def replace(self, names: set[str]) -> None:
        projects = {name: PROJECTS[name] for name in sorted(names)}
        self.pool.replace(projects.values())
        self.naive.projects = projects

    @rule()
    def store(self) -> None:
        self.kept.keep(self.pool.changes())

    @rule()
    def restart(self) -> None:
        self.now += 0.001
        self.kept.keep(self.pool.changes())
        self.flying.clear()
        self.naive.projects = self.configured
        self.pool = self.new_pool()
        self.pool.apply(self.kept.all(), self.now)
        self.naive.restart()

    @rule()
    def echo(self) -> None:
        """Take in what this process wrote itself."""
        self.kept.keep(self.pool.changes())
        self.pool.apply(self.kept.all(), self.now)


History.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestHistory = History.TestCase
