"""Leases of the pool: which key, when a request waits, and what refuses it."""

import json
import math
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from multidict import CIMultiDict
from yarl import URL

from gemproxy.core.answer.usage import Billed
from gemproxy.core.errors import DeadlinePassed, Exhausted, LocationRefused, NoKey, NotOwned
from gemproxy.core.repair.events import How
from gemproxy.exchange.account import Account, Entry
from gemproxy.exchange.deadline import HEADER
from gemproxy.exchange.exchange import Exchange
from gemproxy.lending.source import PoolLease, PoolSource
from gemproxy.pool.key import Key, Limits, Project, fingerprint
from gemproxy.pool.pool import Pool
from gemproxy.pool.state import Result, Switch, Use

BASE = URL("https://upstream.test")
GENERATE = "/v1beta/models/gemini-m:generateContent"
BODY = b'{"contents":[{"parts":[{"text":"Hello"}]}]}'
NOW = 1_790_000_000.0

Json = dict[str, Any]


def quota(delay: str | None = "20s", limit: str = "PerMinute") -> Json:
    name = f"GenerateRequests{limit}PerProjectPerModel-FreeTier"
    failure = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": name}],
    }
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    details = [failure, retry] if delay else [failure]
    return {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota", "details": details}


OF_NOTHING = {
    "code": 429,
    "status": "RESOURCE_EXHAUSTED",
    "message": "Quota exceeded, limit: 0, model: gemini-m. Please retry in 14.19s.",
}
INVALID = {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid."}
ABROAD = {
    "code": 400,
    "status": "FAILED_PRECONDITION",
    "message": "User location is not supported for the API use.",
}


@attrs.define
class Binder:
    """Binds everything to ``project``, and notes what was recorded."""

    project: str | None = None
    recorded: list[tuple[Mapping[str, float | None], str, str]] = attrs.field(factory=list)
    refuses: Exception | None = None
    asked: list[bytes | None] = attrs.field(factory=list)

    def witness(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        del exchange, status, headers

    async def bind(self, exchange: Exchange, body: bytes | None) -> str | None:
        del exchange
        self.asked.append(body)
        if self.refuses is not None:
            raise self.refuses
        return self.project

    async def record(self, names: Mapping[str, float | None], project: str, caller: str) -> None:
        self.recorded.append((names, project, caller))


@attrs.define
class Scene:
    """A source over a pool, with a clock that only moves when somebody sleeps."""

    pool: Pool
    binder: Binder = attrs.field(factory=Binder)
    now: float = NOW
    slept: list[float] = attrs.field(factory=list)
    early: float = 0.0
    learnt: int = 0
    source: PoolSource = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.source = PoolSource(
            BASE, self.pool, self.binder, 30.0, 5, self._learn, lambda: self.now, self._sleep
        )

    def _learn(self) -> None:
        self.learnt += 1

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds - self.early
        self.early = 0.0

    async def lease(self, exchange: Exchange, body: bytes | None = BODY) -> PoolLease:
        lease = await self.source.lease(exchange, body)
        assert isinstance(lease, PoolLease)
        return lease

    def end(
        self, exchange: Exchange, lease: PoolLease, status: int = 200, error: Any = None
    ) -> None:
        """Report the outcome of an attempt."""
        entry = Entry(0.0, lease.key, status, error=error)
        exchange.account.entries.append(entry)
        lease.over(entry)

    async def refuse(self, exchange: Exchange, status: int, error: Json) -> PoolLease:
        """Take a lease and have its key refused."""
        lease = await self.lease(exchange)
        self.end(exchange, lease, status, error)
        return lease


def pool(*projects: str, **options: Any) -> Pool:
    """Return a pool of projects, each given by its keys: ``"a b"``."""
    made = [
        Project(f"P{number}", tuple(Key(key, f"P{number}") for key in keys.split()))
        for number, keys in enumerate(projects, 1)
    ]
    return Pool(made, **options)


def asking(
    path: str = GENERATE, access: str = "ann", method: str = "POST", **headers: str
) -> Exchange:
    given = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Exchange("id", "x", method, path, "", given, Account(access))


async def test_a_client_without_an_access_key_brings_its_own() -> None:
    at = Scene(pool("a"))
    exchange = asking(access="", x_goog_api_key="clients")

    lease = await at.source.lease(exchange, BODY)

    assert lease.credential is not None
    assert (lease.credential.value, lease.key, lease.another) == ("clients", "", False)


async def test_a_lease_names_its_key_by_the_fingerprint() -> None:
    at = Scene(pool("secret-a"))

    lease = await at.lease(asking())

    assert lease.credential.value == "secret-a"
    assert lease.key == Key("secret-a", "").name
    assert (lease.project, lease.base, lease.another) == ("P1", BASE, True)
    assert "secret-a" not in repr(lease)


async def test_a_token_of_live_goes_up_itself_and_blames_no_key() -> None:
    at = Scene(pool("a", "b"))
    at.binder.project = "P2"
    live = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent"
    exchange = asking(live, method="GET", authorization="Token auth_tokens/t")

    lease = await at.lease(exchange)

    assert lease.credential.value == "Token auth_tokens/t"
    assert (lease.project, lease.another, lease.detour) == ("P2", False, False)
    at.end(exchange, lease, 401, {"code": 401, "status": "UNAUTHENTICATED", "message": "expired"})
    assert (await at.lease(asking())).project in {"P1", "P2"}
    assert at.learnt == 0


async def test_a_refused_key_is_followed_by_one_of_another_project() -> None:
    """Keys of one project share its quota."""
    at, exchange = Scene(pool("a b", "c")), asking()

    first = await at.refuse(exchange, 429, quota())
    second = await at.lease(exchange)

    assert {first.project, second.project} == {"P1", "P2"}
    assert at.slept == []
    assert at.learnt == 1


async def test_a_sick_key_is_followed_by_another_of_its_project() -> None:
    at, exchange = Scene(pool("a b")), asking()
    at.binder.project = "P1"

    keys = {(await at.refuse(exchange, 400, INVALID)).credential.value}
    keys.add((await at.refuse(exchange, 400, INVALID)).credential.value)

    assert keys == {"a", "b"}
    with pytest.raises(NoKey, match="all keys of the project") as caught:
        await at.lease(exchange)
    assert (caught.value.status, caught.value.headers(3)["x-should-retry"]) == (503, "false")


@pytest.mark.parametrize("failure", [503, None])
async def test_a_project_that_fails_twice_in_a_row_is_left_and_not_blamed(
    failure: int | None,
) -> None:
    at, exchange = Scene(pool("a", "b")), asking()
    projects = []
    for status in (failure, failure, failure, failure):
        lease = await at.lease(exchange)
        entry = Entry(0.0, lease.key, status)
        exchange.account.entries.append(entry)
        lease.over(entry)
        projects.append(lease.project)

    first, second = projects[0], projects[2]
    assert projects[:3] == [first, first, second]
    assert first != second
    assert at.learnt == 0
    assert {(await at.lease(asking(access=f"caller {n}"))).project for n in range(4)} == {
        first,
        second,
    }


async def test_a_bound_request_stays_where_the_service_fails() -> None:
    at, exchange = Scene(pool("a", "b")), asking()
    at.binder.project = "P2"
    leases = [await at.refuse(exchange, 503, {"code": 503, "message": "x"}) for _ in range(4)]

    assert {lease.project for lease in leases} == {"P2"}


async def test_what_only_disabled_keys_could_serve_is_refused_in_words() -> None:
    at = Scene(pool("a", "b"), Binder("P1"))
    at.pool.apply([Switch(fingerprint("a"), enabled=False, at=NOW)], NOW)

    with pytest.raises(NoKey, match="disabled all keys of the project that has what") as caught:
        await at.lease(asking())
    assert caught.value.status == 503
    at.binder.project = None
    assert (await at.lease(asking())).credential.value == "b"
    at.pool.apply([Switch(fingerprint("b"), enabled=False, at=NOW)], NOW)
    with pytest.raises(NoKey, match="disabled all keys of the pool"):
        await at.lease(asking())


async def test_an_attempt_that_its_client_left_is_no_result_of_the_key() -> None:
    at = Scene(pool("a"))
    left = await at.lease(asking())
    left.over(Entry(0.0, left.key))
    assert [one.used for one in at.pool.standings(NOW)] == [None]

    failed = await at.lease(asking())
    failed.over(Entry(0.0, failed.key, how=How.RESET))
    assert [one.used for one in at.pool.standings(NOW)] == [
        Use(fingerprint("a"), Result.NO_ANSWER, NOW)
    ]


async def test_all_keys_are_refused_once_each() -> None:
    at, exchange = Scene(pool("a", "b", "c")), asking()

    for _ in range(3):
        await at.refuse(exchange, 400, INVALID)

    with pytest.raises(NoKey, match="all keys of the pool"):
        await at.lease(exchange)


async def test_a_request_meets_so_many_refusals_and_no_more() -> None:
    at, exchange = Scene(pool(*"abcdefgh")), asking()

    for _ in range(5):
        await at.refuse(exchange, 400, INVALID)

    with pytest.raises(Exhausted, match="5 keys"):
        await at.lease(exchange)


async def test_no_key_is_taken_after_the_clients_deadline() -> None:
    at, exchange = Scene(pool("a", "b")), asking(**{HEADER.replace("-", "_"): "0.000001"})
    assert exchange.deadline.seconds

    await at.refuse(exchange, 400, INVALID)

    with pytest.raises(DeadlinePassed):
        await at.lease(exchange)


async def test_one_request_waits_once_for_the_shortest_rest() -> None:
    at, exchange = Scene(pool("a", "b")), asking()
    await at.refuse(exchange, 429, quota("20s"))
    await at.refuse(exchange, 429, quota("9s"))

    lease = await at.lease(exchange)

    assert at.slept == [pytest.approx(9.0, abs=1.5)]
    at.end(exchange, lease, 429, quota("9s"))
    with pytest.raises(Exhausted) as caught:
        await at.lease(exchange)
    assert len(at.slept) == 1
    assert caught.value.seconds == pytest.approx(9.0, abs=2.5)


async def test_a_timer_that_fires_early_does_not_refuse_who_waited() -> None:
    at = Scene(pool("a"))
    await at.refuse(asking(), 429, quota("9s"))
    at.early = 0.0006

    lease = await at.lease(asking())

    assert lease.key == fingerprint("a")
    assert at.slept == [pytest.approx(9.0, abs=1.5), pytest.approx(0.001)]


async def test_a_request_that_may_not_be_asked_again_does_not_wait() -> None:
    at = Scene(pool("a"))
    await at.refuse(asking(), 429, quota("9s"))
    at.source.waits = lambda exchange: "X-Off" not in exchange.headers

    with pytest.raises(Exhausted):
        await at.lease(asking(x_off="1"))
    assert at.slept == []


async def test_a_rest_that_is_too_long_is_told_at_once() -> None:
    at = Scene(pool("a"))
    await at.refuse(asking(), 429, quota("31.5s"))

    with pytest.raises(Exhausted) as caught:
        await at.lease(asking())

    error = caught.value
    assert error.status == 429
    assert error.headers(1) == {"x-should-retry": "false", "Retry-After": "32"}
    details = error.payload("id")["error"]["details"]
    assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32s"} in details
    assert "gemini-m" in error.message
    assert at.slept == []


async def test_a_rest_that_does_not_fit_the_clients_deadline_is_told_at_once() -> None:
    at = Scene(pool("a"))
    await at.refuse(asking(), 429, quota("9s"))

    with pytest.raises(Exhausted):
        await at.lease(asking(**{HEADER.replace("-", "_"): "5"}))

    assert at.slept == []


async def test_another_model_is_served_while_one_rests() -> None:
    at = Scene(pool("a"))
    await at.refuse(asking(), 429, quota("3600s"))

    lease = await at.lease(asking(GENERATE.replace("gemini-m", "gemini-n")))

    assert lease.project == "P1"


async def test_a_model_that_no_project_has_is_not_waited_for() -> None:
    at, exchange = Scene(pool("a")), asking()
    await at.refuse(exchange, 429, OF_NOTHING)

    with pytest.raises(Exhausted, match="tier") as caught:
        await at.lease(exchange)

    assert caught.value.headers(1) == {"x-should-retry": "false"}
    assert at.slept == []


async def test_a_bound_request_waits_for_its_project() -> None:
    at = Scene(pool("a", "b"), Binder("P1"))
    exchange = asking()
    await at.refuse(exchange, 429, quota("3600s"))

    with pytest.raises(Exhausted, match="that has what the request names"):
        await at.lease(exchange)


async def test_a_request_whose_project_has_left_the_pool_hears_it() -> None:
    at = Scene(pool("a"), Binder("gone"))

    with pytest.raises(NoKey, match="gone"):
        await at.lease(asking())


async def test_a_piece_of_an_upload_gets_a_key_of_its_project() -> None:
    at = Scene(pool("a", "b c"))
    piece = asking("/upload/v1/files").at(URL("https://u.example"), None, "gone", "P2")

    assert (await at.lease(piece)).project == "P2"


async def test_what_cannot_be_bound_takes_no_key() -> None:
    at = Scene(pool("a"), Binder(refuses=NotOwned("no")))

    with pytest.raises(NotOwned):
        await at.lease(asking())


async def test_a_request_is_bound_again_when_its_body_is_another() -> None:
    at, exchange = Scene(pool("a", "b")), asking()

    first = await at.lease(exchange)
    again = await at.lease(exchange)
    at.binder.project = "P2" if first.project == "P1" else "P1"
    resumed = await at.lease(exchange, BODY + b" ")

    assert len(at.binder.asked) == 2
    assert again.project in {"P1", "P2"}
    assert resumed.project == at.binder.project


async def test_an_interrupted_stream_goes_on_in_another_project() -> None:
    """Also where its own project has a key left; in its own if that is the only one."""
    at, exchange = Scene(pool("a b", "c d")), asking()
    resumed = json.loads(BODY)
    resumed["contents"].append({"role": "model", "parts": [{"text": "Hi, "}]})

    first = await at.lease(exchange)
    at.end(exchange, first)
    second = await at.lease(exchange, json.dumps(resumed).encode())

    assert first.project != second.project
    alone, other = Scene(pool("a b")), asking()
    first = await alone.lease(other)
    alone.end(other, first)
    assert (await alone.lease(other)).key != first.key


async def test_a_resume_moves_no_conversation() -> None:
    at, exchange = Scene(pool("a", "b")), asking()
    first = await at.lease(exchange)
    at.end(exchange, first)
    await at.lease(exchange)
    turns = json.loads(BODY)["contents"]
    turns += [{"role": "model", "parts": [{"text": "Hi"}]}, *turns]

    following = await at.lease(asking(), json.dumps({"contents": turns}).encode())

    assert following.project == first.project


def proxied(*ways: str | None) -> Pool:
    keys = [Key(f"k{i}", f"P{i}", "", URL(way) if way else None) for i, way in enumerate(ways)]
    return Pool([Project(key.project, (key,)) for key in keys])


async def test_a_refused_location_is_tried_once_by_another_way_out() -> None:
    at, exchange = (
        Scene(proxied(None, None, None, "http://out.test:1", "http://more.test:1")),
        asking(),
    )
    first = await at.refuse(exchange, 400, ABROAD)

    second = await at.lease(exchange)

    assert first.proxy != second.proxy
    at.end(exchange, second, 400, ABROAD)
    with pytest.raises(LocationRefused, match="server's location"):
        await at.lease(exchange)


async def test_a_refused_location_makes_no_key_sick() -> None:
    at, exchange = Scene(pool("a", "b")), asking()
    await at.refuse(exchange, 400, ABROAD)

    with pytest.raises(LocationRefused) as caught:
        await at.lease(exchange)

    assert (caught.value.status, at.learnt) == (400, 0)
    assert at.pool.due(math.inf) == []


async def test_a_refused_location_is_noted_until_the_key_serves() -> None:
    scene = Scene(pool("a"))
    noted: list[tuple[str, float, bool]] = []
    scene.source.located = lambda *said: noted.append(said)

    for status, error in ((400, ABROAD), (500, None), (200, None)):
        exchange = asking()
        scene.end(exchange, await scene.lease(exchange), status, error)

    name = fingerprint("a")
    assert noted == [(name, NOW, True), (name, NOW, False)]


async def test_the_pool_learns_what_a_prompt_cost() -> None:
    at = Scene(pool("a", limits={"gemini-m": Limits(tpm=100)}))
    exchange = asking()
    lease = await at.lease(exchange)
    lease.answered()
    entry = Entry(0.0, lease.key, 200, usage=Billed(99, 1, 0, 100))
    lease.over(entry)

    with pytest.raises(Exhausted):
        await Scene(at.pool, now=NOW, binder=Binder("P1")).lease(
            asking(**{HEADER.replace("-", "_"): "5"})
        )


async def test_what_an_answer_names_is_recorded_for_the_access_key() -> None:
    at = Scene(pool("a"))
    lease = await at.lease(asking())

    await lease.named({"files/x": None})

    assert at.binder.recorded == [({"files/x": None}, "P1", "ann")]


async def test_what_creates_names_goes_to_the_home_of_its_access_key() -> None:
    at = Scene(pool(*"abcdefgh"))
    leases = [await at.lease(asking("/v1beta/cachedContents"), b"{}") for _ in range(6)]

    assert len({lease.project for lease in leases}) == 1
    assert leases[0].project == at.pool.order("ann")[0]


async def test_a_list_goes_to_the_project_that_it_is_a_part_of() -> None:
    at = Scene(pool(*"abc"))

    lease = await at.lease(asking("/v1beta/files", method="GET").within("P2"), None)

    assert (lease.project, at.binder.asked) == ("P2", [])
