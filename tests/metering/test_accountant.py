"""The meter over a limiter and a ledger: one hold and one row for each request, settled once."""

import asyncio
import json
import logging
from typing import Any

import attrs
import pytest

from gemproxy.accounts.limiter import MemoryLimiter
from gemproxy.accounts.prices import parse_prices
from gemproxy.accounts.user import OWN, Kind, Limit, User
from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import Forbidden, LimitReached
from gemproxy.exchange.account import Entry, SessionResult, Spent
from gemproxy.exchange.exchange import Exchange
from gemproxy.ledger.health import Health
from gemproxy.ledger.row import Ending, Row
from gemproxy.metering.accountant import Accountant
from gemproxy.metering.serials import Serials

START = 1_795_000_000.0
MODEL = "gemini-x"
PRICES = parse_prices(
    """
    [[models]]
    name = "gemini-x"
    [[models.prices]]
    source = "https://example.com/prices"
    checked = 2026-11-28
    input = 1
    output = 10
    """
)
BODY = json.dumps({"contents": [{"parts": [{"text": "Hello"}]}]}).encode()


@attrs.define(slots=False)
class Book:
    """A ledger in memory; ``waited`` are the serials that somebody waited for."""

    put_: list[Row] = attrs.field(factory=list)
    waited: list[int] = attrs.field(factory=list)
    waiting: int = 0
    health: Health = attrs.field(factory=Health)

    def put(self, row: Row) -> None:
        self.put_.append(row)

    async def written(self, serial: int) -> bool:
        self.waited.append(serial)
        return True

    @property
    def last(self) -> Row:
        return self.put_[-1]


@attrs.define
class Desk:
    """An accountant with a clock that stands still, and its ledger."""

    accountant: Accountant
    book: Book
    limiter: MemoryLimiter
    now: float = START


def desk(**options: Any) -> Desk:
    book, limiter = Book(), MemoryLimiter(hold_seconds=60)
    made = Desk(
        Accountant(limiter, PRICES, Serials(1).next, book, clock=lambda: made.now, **options),
        book,
        limiter,
    )
    return made


def exchange(path: str = f"/v1beta/models/{MODEL}:streamGenerateContent") -> Exchange:
    return Exchange("request", "stream", "POST", path, "", {})


def user(*limits: Limit, models: tuple[str, ...] = ()) -> User:
    return User("public", "ann", limits, models)


async def begun(at: Desk, of: User = OWN, body: bytes | None = BODY) -> Exchange:
    made = exchange()
    await at.accountant.begin(made, of, "", body)
    return made


def end(at: Desk, one: Exchange, status: int = 200) -> None:
    at.accountant.end(one, status, cancelled=False, expired=False)


async def test_a_request_has_one_row_from_its_beginning_to_its_end() -> None:
    at = desk()
    one = await begun(at, user())
    first = at.book.last
    one.account.entries.append(Entry(0.0, "key-1", 200, project="P1"))
    one.account.passed = Spent((Billed(10, 3, 2, 15),), Billed(10, 3, 2, 15))
    end(at, one)
    last = at.book.last

    assert (first.ending, last.ending, len(at.book.put_)) == (None, Ending.DONE, 2)
    assert (first.serial, first.started) == (last.serial, int(START * 1000))
    assert (last.user, last.model, last.route, last.dialect) == ("ann", MODEL, "stream", "gemini")
    assert (last.key, last.project, last.attempts, last.status) == ("key-1", "P1", 1, 200)
    assert (last.input_tokens, last.output_tokens, last.thought_tokens) == (10, 3, 2)
    assert last.cost_nano_usd == 60_000
    assert one.account.charge is not None
    assert one.account.charge.cost_nano_usd == last.cost_nano_usd


async def test_a_second_beginning_and_a_second_end_do_nothing() -> None:
    at = desk()
    one = await begun(at, user())
    assert await at.accountant.begin(one, user(), "", b"another") == b"another"
    end(at, one)
    end(at, one, 500)

    assert [row.ending for row in at.book.put_] == [None, Ending.DONE]
    assert (at.limiter.holds, at.accountant.running) == (0, 0)


async def test_an_end_without_a_beginning_does_nothing() -> None:
    at = desk()
    end(at, exchange())

    assert at.book.put_ == []


async def test_a_refused_request_has_neither_a_row_nor_a_hold() -> None:
    at = desk()
    ann = user(Limit(Kind.CONCURRENCY, 1))
    one = await begun(at, ann)
    with pytest.raises(LimitReached):
        await begun(at, ann)
    end(at, one)
    await begun(at, ann)

    assert [row.ending for row in at.book.put_] == [None, Ending.DONE, None]
    assert at.limiter.holds == 1


async def test_another_model_than_the_allowed_ones_is_refused() -> None:
    at = desk()
    with pytest.raises(Forbidden):
        await begun(at, user(models=("gemini-y",)))

    assert at.book.put_ == []


@pytest.mark.parametrize(
    ("kind", "waits"), [(Kind.RPD, True), (Kind.RPM, False), (Kind.CONCURRENCY, False)]
)
async def test_what_a_restart_must_not_forget_is_on_disk_first(kind: Kind, waits: bool) -> None:
    at = desk()
    await begun(at, user(Limit(kind, 10)))

    assert at.book.waited == ([at.book.last.serial] if waits else [])


@pytest.mark.parametrize("fixed", [OWN, User("default", "default")])
async def test_a_request_that_no_limit_can_ever_concern_has_a_row_and_no_hold(fixed: User) -> None:
    at = desk()
    one = await begun(at, fixed)
    assert at.limiter.holds == 0
    end(at, one)

    assert (at.book.last.user, at.book.last.ending) == (fixed.name, Ending.DONE)


async def test_limits_for_all_hold_for_clients_with_their_own_keys() -> None:
    at = desk(everywhere=True)
    at.limiter.requests_per_minute = 1
    await begun(at)
    with pytest.raises(LimitReached):
        await begun(at)
    with pytest.raises(LimitReached):
        await at.accountant.visit(OWN, "192.0.2.1")


async def test_a_hold_lives_as_long_as_its_request_is_renewed() -> None:
    at = desk()
    ann = user(Limit(Kind.CONCURRENCY, 1))
    one = await begun(at, ann)
    for _ in range(10):
        at.now += 40
        await at.accountant.renew()
    with pytest.raises(LimitReached):
        await begun(at, ann)
    at.now += 61

    await begun(at, ann)
    end(at, one)


async def test_a_shadow_limit_refuses_nothing_and_writes_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = desk()
    ann = user(Limit(Kind.RPM, 1, shadow=True))
    with caplog.at_level(logging.INFO, "gemproxy"):
        for _ in range(3):
            await begun(at, ann)

    assert [record.__dict__["limits"] for record in caplog.records] == [["rpm 1"]] * 2
    assert {record.__dict__["access"] for record in caplog.records} == {"ann"}


async def test_an_end_that_fails_gives_the_hold_back(monkeypatch: pytest.MonkeyPatch) -> None:
    at = desk()
    one = await begun(at, user(Limit(Kind.CONCURRENCY, 1)))
    monkeypatch.setattr(at.book, "put", lambda _: 1 / 0)
    end(at, one)

    assert at.limiter.holds == 0


async def test_a_client_that_leaves_while_its_row_is_written_is_settled() -> None:
    at = desk()
    one = exchange()

    async def never(_: int) -> bool:
        await asyncio.Event().wait()
        return True

    at.book.written = never  # type: ignore[assignment,method-assign]
    task = asyncio.create_task(at.accountant.begin(one, user(Limit(Kind.RPD, 9)), "", BODY))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    at.accountant.end(one, 499, cancelled=True, expired=False)

    assert at.book.last.ending is Ending.CLIENT_LEFT
    assert at.limiter.holds == 0


async def test_answers_tell_users_with_limits_about_them() -> None:
    at = desk()
    one = await begun(at, user(Limit(Kind.RPM, 10)))
    other = await begun(at, User("other", "bob"))

    assert at.accountant.fields(one)["x-ratelimit-remaining-requests"] == "9"
    assert at.accountant.fields(other) == {}
    assert at.accountant.fields(exchange()) == {}


@pytest.mark.parametrize(
    ("limits", "wants"),
    [((), False), ((Limit(Kind.RPM, 1),), False), ((Limit(Kind.PER_IP_RPD, 1),), True)],
)
def test_the_address_is_wanted_where_a_limit_counts_by_it(
    limits: tuple[Limit, ...], wants: bool
) -> None:
    assert desk().accountant.wants_address(user(*limits)) is wants
    assert desk(per_address=True).accountant.wants_address(user(*limits)) is True


def test_health_says_whether_the_ledger_fails() -> None:
    at = desk()
    assert at.accountant.health() == {"status": "ok", "waiting": 0, "lost": 0}
    at.book.health.failing_since = START - 40

    assert at.accountant.health() == {
        "status": "failing",
        "waiting": 0,
        "lost": 0,
        "failing_seconds": 40,
    }
    at.accountant.ledger = None
    assert at.accountant.health() == {}


async def test_a_session_ends_when_it_has_used_up_what_its_user_had() -> None:
    at = desk()
    ann = user(Limit(Kind.TOKENS_PER_DAY, 100_000))
    one = Exchange("request", "live", "GET", "/ws/x", "", {})
    await at.accountant.begin(one, ann, "", b'{"setup":{}}', MODEL)
    used = [Billed(1000, 500, 0, 1500)]

    def report() -> SessionResult:
        return SessionResult(1, 1, 1, 1, spent=Spent(tuple(used), sum(used, Billed())))

    at.accountant.watch(one, report)
    await at.accountant.renew()
    assert at.accountant.exceeded(one) is None
    used.append(Billed(90_000, 9_000, 0, 99_000))
    await at.accountant.renew()

    assert isinstance(at.accountant.exceeded(one), LimitReached)
    one.account.result = report()
    end(at, one)
    assert at.limiter.holds == 0
    with pytest.raises(LimitReached):
        await begun(at, ann)
