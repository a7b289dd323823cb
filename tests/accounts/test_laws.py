"""The laws of holds, for any interleaving: hold, renew, grow, settle, expire, crash and restore.

At any instant what is spent and held stays within each limit; what is spent is the sum of what was
settled; nothing is negative; a request is refused only if a limit has no room for it; and after all
holds have expired nothing is held. The naive model in ``naive`` says what is true.
"""

import re
from collections.abc import Coroutine
from random import Random
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gemproxy.accounts.calendar import Calendar
from gemproxy.accounts.hold import Asked, Hold, Used
from gemproxy.accounts.limiter import MemoryLimiter
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.core.errors import LimitReached
from tests.accounts.naive import Naive, Record

LIFE = 60.0
USERS = ("ann", "ann", "ann", "bob")
MODELS = ("gemini-x", "gemini-y")
STARTS = {
    "UTC": 1796083200,  # the first of December 2026
    "Europe/Berlin": 1774738800,  # a day of 23 hours
    "America/New_York": 1793505600,  # a day of 25 hours, the first of November
    "Asia/Kolkata": 1798655400,  # the end of a year, half an hour off
}
_KINDS = {
    Kind.RPM: (1, 4),
    Kind.TPM: (20, 200),
    Kind.RPD: (1, 4),
    Kind.CONCURRENCY: (1, 3),
    Kind.TOKENS_PER_DAY: (50, 200),
    Kind.TOKENS_PER_MONTH: (50, 250),
    Kind.USD_PER_DAY: (50_000, 200_000),
    Kind.USD_PER_MONTH: (50_000, 250_000),
}
_MONEY = (Kind.USD_PER_DAY, Kind.USD_PER_MONTH)
MICRO = 1000
"""Nano-dollars in a micro-dollar, the unit of the headers."""

AMOUNTS = st.sampled_from([10, 30, 60, 120])

LATEST = st.integers(0, 5)
"""One of the latest holds."""

T = TypeVar("T")


def now_or_never(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that must not wait for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    kind = draw(st.sampled_from(sorted(_KINDS, key=lambda kind: kind.value)))
    amount = draw(st.integers(*_KINDS[kind]))
    model = draw(st.sampled_from(["", "", MODELS[0]]))
    return Limit(kind, amount, model, draw(st.sampled_from([False, False, True])))


class Laws(RuleBasedStateMachine):
    """The limiter beside the model."""

    @initialize(
        zone=st.sampled_from(sorted(STARTS)),
        before=st.sampled_from([0, 20, 50, 4000]),
        of_ann=st.lists(limits(), min_size=1, max_size=3),
        of_bob=st.lists(limits(), max_size=1),
    )
    def begin(self, zone: str, before: int, of_ann: list[Limit], of_bob: list[Limit]) -> None:
        self.zone = ZoneInfo(zone)
        self.now = float(STARTS[zone] - before)
        self.naive = Naive(self.zone, self.now)
        self.users = {
            name: User(name, name, tuple(limits))
            for name, limits in (("ann", of_ann), ("bob", of_bob))
        }
        self.limiter = self.new()
        self.holds: list[tuple[Hold, Record]] = []
        self.beyond = False

    def new(self) -> MemoryLimiter:
        return MemoryLimiter(Calendar(self.zone), hold_seconds=LIFE)

    def over(self, user: User, model: str, tokens: int, nano_usd: int, *, shadow: bool) -> bool:
        return any(
            sum(self.naive.taken(limit, user.name, self.now)) + _asked(limit, tokens, nano_usd)
            > limit.amount
            for limit in user.limits
            if limit.model in ("", model) and limit.shadow is shadow
        )

    @rule(
        name=st.sampled_from(USERS),
        model=st.sampled_from(MODELS),
        tokens=AMOUNTS,
        micro_usd=AMOUNTS,
        times=st.integers(1, 4),
    )
    def hold(self, name: str, model: str, tokens: int, micro_usd: int, times: int) -> None:
        for _ in range(times):
            self.ask(self.users[name], model, tokens, micro_usd * MICRO)

    def ask(self, user: User, model: str, tokens: int, nano_usd: int) -> None:
        name = user.name
        over = self.over(user, model, tokens, nano_usd, shadow=False)
        shadow = self.over(user, model, tokens, nano_usd, shadow=True)
        asked = Asked(1, user, f"models/{model}", "192.0.2.1", tokens, nano_usd)
        try:
            hold = now_or_never(self.limiter.admit(asked, self.now))
        except LimitReached as error:
            assert over
            self.waits_long_enough(error, asked, model)
            return
        assert not over
        assert bool(hold.shadow) is shadow
        record = Record(name, model, self.now, self.now + LIFE, tokens, nano_usd)
        self.naive.records.append(record)
        self.holds.append((hold, record))

    def waits_long_enough(self, error: LimitReached, asked: Asked, model: str) -> None:
        """Check that there is room after the wait, if running requests use nothing."""
        limits = [limit for limit in asked.user.limits if limit.model in ("", model)]
        real = [limit for limit in limits if not limit.shadow]
        never = any(_asked(x, asked.tokens, asked.nano_usd or 0) > x.amount for x in real)
        assert (error.seconds is None) is never
        if error.seconds is not None:
            at = self.now + error.seconds
            assert all(
                self.naive.taken(x, asked.user.name, at)[0]
                + _asked(x, asked.tokens, asked.nano_usd or 0)
                <= x.amount
                for x in real
            )

    @precondition(lambda self: self.holds)
    @rule(which=LATEST)
    def renew(self, which: int) -> None:
        hold, record = self.holds[-6:][which % len(self.holds[-6:])]
        if record.held(self.now):
            record.expires = self.now + LIFE
        self.limiter.renew(hold, self.now)

    @precondition(lambda self: self.holds)
    @rule(which=LATEST, more=st.sampled_from([0, 10, 40]), dearer=st.booleans())
    def grow(self, which: int, more: int, dearer: bool) -> None:
        hold, record = self.holds[-6:][which % len(self.holds[-6:])]
        tokens, nano_usd = record.tokens + more, record.nano_usd + more * MICRO * dearer
        before = (record.tokens, record.nano_usd)
        after = (max(tokens, record.tokens), max(nano_usd, record.nano_usd))
        limits = [x for x in self.users[record.user].limits if x.model in ("", record.model)]
        if record.held(self.now):
            record.tokens, record.nano_usd = after
        grown = [
            limit
            for limit in limits
            if not limit.shadow
            and limit.kind not in (Kind.RPM, Kind.RPD, Kind.CONCURRENCY)
            and record in self.counted(limit, record)
        ]
        full = any(sum(self.naive.taken(x, record.user, self.now)) > x.amount for x in grown)
        try:
            now_or_never(self.limiter.grow(hold, Used(tokens, nano_usd), self.now))
        except LimitReached:
            assert full
            record.tokens, record.nano_usd = self.room_for(record, before, after, grown)
        else:
            assert self.beyond or not full or before == after or not record.held(self.now)

    def room_for(
        self, record: Record, before: tuple[int, int], after: tuple[int, int], limits: list[Limit]
    ) -> tuple[int, int]:
        """Return what a hold that wants to grow too far gets."""
        record.tokens, record.nano_usd = before
        tokens, nano_usd = after
        for limit in limits:
            left = max(0, limit.amount - sum(self.naive.taken(limit, record.user, self.now)))
            if limit.kind in _MONEY:
                nano_usd = min(nano_usd, record.nano_usd + left)
            else:
                tokens = min(tokens, record.tokens + left)
        return tokens, nano_usd

    def counted(self, limit: Limit, record: Record) -> list[Record]:
        """Return the record, if a limit's period is still the one in which it began."""
        if limit.kind is Kind.TPM:
            return [record]
        monthly = limit.kind in (Kind.TOKENS_PER_MONTH, Kind.USD_PER_MONTH)
        return self.naive._within([record], self.now, monthly=monthly)

    @precondition(lambda self: self.holds)
    @rule(which=LATEST, share=st.sampled_from([0, 1, 2]), twice=st.booleans())
    def settle(self, which: int, share: int, twice: bool) -> None:
        hold, record = self.holds[-6:][which % len(self.holds[-6:])]
        used = Used(record.tokens * share // 2, record.nano_usd * share // 2)
        self.limiter.settle(hold, used, self.now)
        if twice:
            self.limiter.settle(hold, Used(999, 999), self.now)
        if record.settled is None:
            self.beyond |= not record.held(self.now) and used != Used()
            record.settled = self.now
            record.used_tokens, record.used_nano_usd = used.tokens, used.nano_usd

    @rule(
        seconds=st.sampled_from([0.25, 5.0, 20.0, 30.0, 40.0, 59.75, 60.0]),
    )
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin_a_day(self) -> None:
        self.now = Calendar(self.zone).day(self.now).end

    @precondition(lambda self: len(self.holds) > 5)
    @rule()
    def crash(self) -> None:
        for _, record in self.holds:
            if record.settled is None:
                record.lost = True
        self.holds.clear()
        self.now += 0.25
        self.naive.begun = self.now
        self.limiter = self.new()
        self.limiter.restore(
            self.naive.sums(self.now, monthly=False),
            self.naive.sums(self.now, monthly=True),
            self.now,
        )

    @precondition(lambda self: self.holds)
    @rule()
    def all_expire(self) -> None:
        self.now += LIFE
        now_or_never(self.limiter.admit(Asked(1, User("", ""), ""), self.now))
        assert self.limiter.holds == 1

    @invariant()
    def nothing_is_beyond_its_limit(self) -> None:
        """After the settlement of a hold that had expired, more may be spent than a limit has."""
        if getattr(self, "naive", None) is None or self.beyond:
            return
        for user in self.users.values():
            for limit in user.limits:
                if not limit.shadow:
                    taken = sum(self.naive.taken(limit, user.name, self.now))
                    assert 0 <= taken <= limit.amount

    @rule()
    def look(self) -> None:
        """Check what remains of each limit by the headers of an answer."""
        for user in self.users.values():
            for model in MODELS:
                hold = Hold(Asked(1, user, model), self.now, self.now)
                shown = self.limiter.fields(hold, self.now).get("RateLimit", "")
                assert [int(r) for r in re.findall(r";r=(\d+)", shown)] == [
                    max(0, limit.amount - sum(self.naive.taken(limit, user.name, self.now)))
                    // (MICRO if limit.kind in _MONEY else 1)
                    for limit in user.limits
                    if limit.model in ("", model) and not limit.shadow
                ]

    def teardown(self) -> None:
        if getattr(self, "naive", None) is not None:
            self.look()


def _asked(limit: Limit, tokens: int, nano_usd: int) -> int:
    if limit.kind in (Kind.TPM, Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_MONTH):
        return tokens
    return nano_usd if limit.kind in _MONEY else 1


TestLaws = Laws.TestCase
TestLaws.settings = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


STEPS = 400
WEIGHTS = {
    "hold": 8,
    "settle": 8,
    "wait": 8,
    "renew": 3,
    "grow": 3,
    "look": 2,
    "crash": 1,
    "day": 1,
}


@pytest.mark.parametrize("seed", range(24))
def test_the_laws_hold_in_a_long_life(seed: int) -> None:
    """The same with longer lives than hypothesis makes, each drawn from its seed."""
    random = Random(seed)
    laws = Laws()
    laws.begin(
        random.choice(sorted(STARTS)),
        random.choice([20, 50, 4000]),
        [_limit(random) for _ in range(random.randint(1, 3))],
        [],
    )
    for step in random.choices([*WEIGHTS], [*WEIGHTS.values()], k=STEPS):
        if step in {"hold", "wait", "look", "day"} or laws.holds:
            take_a_step(laws, step, random)
        laws.nothing_is_beyond_its_limit()
    laws.teardown()


def take_a_step(laws: Laws, step: str, random: Random) -> None:
    which = random.randrange(6)
    match step:
        case "hold":
            tokens, micro_usd = random.choices([0, 5, 10, 30, 60], k=2)
            laws.hold("ann", random.choice(MODELS), tokens, micro_usd, random.randint(1, 3))
        case "wait":
            laws.wait(random.choice([0.25, 5.0, 20.0, 30.0, 40.0, 59.75]))
        case "look":
            laws.look()
        case "day":
            laws.now = max(laws.now, Calendar(laws.zone).day(laws.now).end - 20)
        case "settle":
            laws.settle(which, random.randrange(3), random.random() < 0.1)
        case "renew":
            laws.renew(which)
        case "grow":
            laws.grow(which, random.choice([0, 10, 40]), random.random() < 0.5)
        case _:
            laws.crash()


def _limit(random: Random) -> Limit:
    kind = random.choice(list(_KINDS))
    shadow = random.random() < 0.2
    return Limit(kind, random.randint(*_KINDS[kind]), random.choice(["", MODELS[0]]), shadow)
