"""The limiter of one process: what is spent and held is in memory.

Admission is one step without an await: it drops the holds that have expired, sums what is spent,
held and asked over every limit of the user, of the client's address and of the whole proxy, and
then counts in all of them or in none. What is spent only grows by what was really used. A hold
never touches it, so a crash blocks nobody: a new process has no holds, and takes what is spent from
the ledger (``restore``).

Every user's day and month are counted, also without a limit, so that a limit that is set later
begins with the right figures. A minute is counted from the first request that has a limit for it.

The clock may be set back. Then an amount leaves a minute after the new time at the latest, and a
hold expires at the end of its life from then on. A day that has just begun goes on if it was less
than a minute; else the sums of the earlier day begin at zero.
"""

import collections
from collections.abc import Iterable, Iterator

import attrs

from gemproxy.accounts import words
from gemproxy.accounts.calendar import Calendar, Day
from gemproxy.accounts.gauges import MONEY, Gauge, State
from gemproxy.accounts.hold import Asked, Hold, Spent, Used
from gemproxy.accounts.plans import NOBODY, Account, Plan
from gemproxy.accounts.state import Kept, Place, Tally
from gemproxy.accounts.user import Kind, Limit, User
from gemproxy.accounts.visits import Rate, Visits
from gemproxy.accounts.window import LENGTH, Window
from gemproxy.core.errors import Forbidden, LimitReached

_STEP_BACK = 1.0
"""Seconds by which a time may be earlier than one before without a clock that was set back."""

_SWEPT = 4
"""Users that each admission after a new day looks at, to forget those who did nothing lately."""

_ALL = "the whole proxy"
_EVERY_ADDRESS = "each client address"


@attrs.define(eq=False)
class MemoryLimiter:
    """A ``Limiter`` for one process.

    ``requests_per_minute`` is the limit of the whole proxy, ``requests_per_day_per_ip`` that of
    each client address; 0 is none. ``hold_seconds`` is the life of a hold. ``allow_unpriced``
    admits models without a price under limits on money, as if they cost nothing.
    """

    calendar: Calendar = attrs.field(factory=Calendar)
    requests_per_minute: int = 0
    requests_per_day_per_ip: int = 0
    hold_seconds: float = 60.0
    allow_unpriced: bool = False
    _accounts: dict[str, Account] = attrs.field(factory=dict)
    _holds: collections.OrderedDict[Hold, Kept] = attrs.field(factory=collections.OrderedDict)
    _minute: Window = attrs.field(factory=Window)
    _visits: Visits = attrs.field(factory=Visits.of)
    _everywhere: tuple[Rate, ...] = ()
    _day: Day | None = None
    _latest: float = 0.0
    _unswept: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        if self.requests_per_day_per_ip:
            limit = Limit(Kind.PER_IP_RPD, self.requests_per_day_per_ip)
            self._everywhere = (Rate(limit, whose=_EVERY_ADDRESS),)

    @property
    def holds(self) -> int:
        """How many requests hold something."""
        return len(self._holds)

    @property
    def users(self) -> int:
        """How many users are counted."""
        return len(self._accounts)

    async def admit(self, asked: Asked, now: float) -> Hold:
        """Take a hold. Raises LimitReached, and Forbidden for a model without a price."""
        day = self._tick(now)
        user = asked.user
        plan = self._plan(user, asked.model, day)
        over = [gauge for gauge in plan.gauges if not gauge.fits(asked, now)]
        shadow: tuple[Limit, ...] = ()
        if asked.nano_usd is None and not self.allow_unpriced:
            over += self._unpriced(asked, plan)
        if over:
            shadow = tuple(dict.fromkeys(gauge.limit for gauge in over if gauge.limit.shadow))
            self._refuse_over(asked, plan, over, now)
        rates = self._everywhere + plan.rates
        if rates or self.requests_per_minute:
            shadow += self._enter(user, asked.address, rates, day, now)
        money = asked.nano_usd or 0
        places = tuple([Place.take(tally, asked.tokens, money, now) for tally in plan.tallies])
        kept = Kept(places, asked.tokens, money)
        hold = Hold(asked, now, now + self.hold_seconds, shadow, kept)
        self._holds[hold] = kept
        return hold

    async def visit(self, user: User, address: str, now: float) -> None:
        """Count a request that asks no model: for the whole proxy and for the client's address.

        Raises LimitReached.
        """
        rates = self._everywhere
        if not (user.limits or rates or self.requests_per_minute):
            return
        day = self._tick(now)
        if user.limits:
            rates += self._plan(user, "", day).rates
        self._enter(user, address, rates, day, now)

    def renew(self, hold: Hold, now: float) -> None:
        """Have a hold live on; one that has expired stays gone: its room may be taken."""
        kept: Kept = hold.memo
        if kept.held and hold.expires > now:
            hold.expires = now + self.hold_seconds
            self._holds.move_to_end(hold)

    async def grow(self, hold: Hold, used: Used, now: float) -> None:
        """Have a hold keep at least ``used``, which is what its request has used so far.

        Raises LimitReached if the limits have no room for so much; then the hold takes the room
        that there is, and the request should end.
        """
        day = self._tick(now)
        kept: Kept = hold.memo
        tokens, money = max(kept.tokens, used.tokens), max(kept.nano_usd, used.nano_usd)
        if not kept.held or (tokens, money) == (kept.tokens, kept.nano_usd):
            return
        more = attrs.evolve(hold.asked, tokens=tokens - kept.tokens, nano_usd=money - kept.nano_usd)
        plan = self._plan(more.user, more.model, day)
        real = [gauge for gauge in plan.gauges if gauge.grows(kept) and not gauge.limit.shadow]
        over = [gauge for gauge in real if not gauge.fits(more, now)]
        if not over:
            kept.grow(tokens, money)
            return
        for state in [gauge.state(more, now) for gauge in over]:
            if state.limit.kind in MONEY:
                money = min(money, kept.nano_usd + state.remaining)
            else:
                tokens = min(tokens, kept.tokens + state.remaining)
        try:
            self._refuse_over(more, plan, over, now)
        finally:
            kept.grow(tokens, money)

    def settle(self, hold: Hold, used: Used, now: float) -> None:
        """Add what was used to what is spent, and drop the hold; a second call does nothing.

        What a request used whose hold has expired counts just so.
        """
        kept: Kept = hold.memo
        if kept.settled:
            return
        kept.settled = True
        places = kept.places if kept.held else self._late(hold, now)
        kept.release()
        self._holds.pop(hold, None)
        if used.tokens or used.nano_usd:
            for place in places:
                place.add(used.tokens, used.nano_usd, now)

    def fields(self, hold: Hold, now: float) -> dict[str, str]:
        """Return the headers for the answer: the limits of its user, and what remains of them."""
        user = hold.asked.user
        if not user.limits:
            return {}
        plan = self._plan(user, hold.asked.model, self._tick(now))
        return words.fields(_states(hold.asked, plan, now), now)

    def states(self, user: User, now: float) -> list[State]:
        """Return how much is taken of each limit of a user, those of client addresses apart."""
        day, found = self._tick(now), []
        for limit in user.limits:
            plan, asked = self._plan(user, limit.model, day), Asked(0, user, limit.model)
            found += [gauge.state(asked, now) for gauge in plan.gauges if gauge.limit == limit]
        return found

    def restore(self, day: Iterable[Spent], month: Iterable[Spent], now: float) -> None:
        """Take the ledger's sums of the current day and month, at the start.

        Each of them has the requests that began in it, by user and model.
        """
        today = self._tick(now)
        # The models that were asked most come first, in case not all can be counted singly.
        for spent in sorted(month, key=lambda spent: -spent.requests):
            for tally in self._tallies(spent, today):
                tally.month.add(spent.requests, spent.tokens, spent.nano_usd)
        for spent in day:
            for tally in self._tallies(spent, today):
                tally.today.add(spent.requests, spent.tokens, spent.nano_usd)

    def _tallies(self, spent: Spent, day: Day) -> tuple[Tally, ...]:
        return self._plan(User("", spent.user), spent.model, day).tallies

    def _plan(self, user: User, model: str, day: Day) -> Plan:
        name = user.name
        if not name:
            return NOBODY
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account()
        return account.plan(user, model, day)

    def _late(self, hold: Hold, now: float) -> tuple[Place, ...]:
        """Return where a hold that has expired counts: its user may have been forgotten since."""
        plan = self._plan(hold.asked.user, hold.asked.model, self._tick(now))
        kept: Kept = hold.memo
        places = zip(kept.places, plan.tallies, strict=False)
        return tuple(attrs.evolve(place, tally=tally) for place, tally in places)

    def _unpriced(self, asked: Asked, plan: Plan) -> Iterator[Gauge]:
        """Yield the shadow limits on money, under which no model without a price is admitted.

        Raises Forbidden for a limit that is no shadow.
        """
        for gauge in plan.gauges:
            if gauge.limit.kind in MONEY:
                if not gauge.limit.shadow:
                    raise Forbidden(words.unpriced(asked.user.name, asked.model, gauge.limit))
                yield gauge

    def _refuse_over(self, asked: Asked, plan: Plan, over: list[Gauge], now: float) -> None:
        """Raise LimitReached for the limit among ``over`` that lasts longest, shadows apart."""
        states = [gauge.state(asked, now) for gauge in over if not gauge.limit.shadow]
        if states:
            self._refuse(asked.user, states, _states(asked, plan, now), now)

    def _refuse(self, user: User, over: list[State], others: list[State], now: float) -> None:
        worst = max(over, key=lambda state: (state.never, state.wait(now) or 0.0))
        message = words.refusal(user.name, worst, now, self.calendar)
        fields, brief = words.fields(others, now, worst), words.brief(worst, now)
        scope = worst.limit.kind.value
        raise LimitReached(message, worst.wait(now), fields, brief=brief, scope=scope)

    def _enter(
        self, user: User, address: str, rates: tuple[Rate, ...], day: Day, now: float
    ) -> tuple[Limit, ...]:
        """Count a request for the whole proxy and for its address, all or nothing.

        Returns the shadow limits that would have refused it. Raises LimitReached.
        """
        over = [rate for rate in rates if not self._visits.fits(rate, address, day, now)]
        states = [
            self._visits.state(rate, address, day, now) for rate in over if not rate.limit.shadow
        ]
        if self.requests_per_minute:
            states += self._proxy_over(now)
        if states:
            self._refuse(user, states, [], now)
        if self.requests_per_minute:
            self._minute.add(1, now)
        for rate in rates:
            self._visits.count(rate, address, day, now)
        return tuple(rate.limit for rate in over)

    def _proxy_over(self, now: float) -> Iterator[State]:
        """Yield the limit of the whole proxy if it has no room for a request."""
        most, spent = self.requests_per_minute, self._minute.total(now)
        if spent >= most:
            room, empty = self._minute.less(spent + 1 - most, now), self._minute.emptied(now)
            limit = Limit(Kind.RPM, most)
            yield State(limit, spent, 0, 1, room, room, empty, int(LENGTH), _ALL)

    def _tick(self, now: float) -> Day:
        """Drop the holds that have expired, and return the day."""
        if now < self._latest - _STEP_BACK:
            self._set_back(now)
        self._latest = now
        if self._holds and next(iter(self._holds)).expires <= now:
            self._expire(now)
        day = self._day
        if day is None or not day.start - LENGTH <= now < day.end:
            self._day = day = self.calendar.day(now)
            self._unswept = list(self._accounts)
        if self._unswept:
            self._sweep(day, now)
        return day

    def _expire(self, now: float) -> None:
        """Drop the holds that have expired; they are in the order of their expiry."""
        while self._holds:
            hold = next(iter(self._holds))
            if hold.expires > now:
                return
            self._holds.pop(hold).release()

    def _set_back(self, now: float) -> None:
        """Have no hold live longer than it should: the clock was set back."""
        for hold in self._holds:
            hold.expires = min(hold.expires, now + self.hold_seconds)

    def _sweep(self, day: Day, now: float) -> None:
        """Forget users who did nothing in this month, a few at a time."""
        for name in self._unswept[-_SWEPT:]:
            account = self._accounts.get(name)
            if account is not None and account.idle(day, now):
                del self._accounts[name]
        del self._unswept[-_SWEPT:]


def _states(asked: Asked, plan: Plan, now: float) -> list[State]:
    """Return how much is taken of each limit of a plan that refuses."""
    return [gauge.state(asked, now) for gauge in plan.gauges if not gauge.limit.shadow]
