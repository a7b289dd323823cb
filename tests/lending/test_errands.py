"""Cheap reads with a key of the pool: what they send, and what the pool learns."""

import contextlib
import math
from collections.abc import AsyncIterator

import attrs
from yarl import URL

from gemproxy.lending.errands import CHECK, Errands
from gemproxy.pool.key import Key, Project
from gemproxy.pool.pool import Outcome, Pick, Pool, Wish
from gemproxy.pool.state import Sickness
from gemproxy.relay.upstream import open_upstream
from tests.replies import DEAD, Replies, Reply, error_reply, json_reply, replying

NOW = 1_790_000_000.0
INVALID = {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid."}


@attrs.define
class Scene:
    errands: Errands
    pool: Pool
    upstream: Replies
    now: float = NOW
    learnt: int = 0

    def make_sick(self) -> None:
        pick = self.pool.pick(Wish("m"), self.now)
        assert isinstance(pick, Pick)
        self.pool.over(pick, Outcome(400, INVALID), self.now)

    @property
    def well(self) -> bool:
        return not self.pool.due(math.inf)

    @property
    def checked_at(self) -> float:
        """When the sick key is checked again, by the last news of it."""
        return [one.again_at for one in self.pool.changes() if isinstance(one, Sickness)][-1]


@contextlib.asynccontextmanager
async def scene(*replies: Reply, keys: str = "a", proxy: str | None = None) -> AsyncIterator[Scene]:
    made = [
        Project(f"P{i}", (Key(key, f"P{i}", "", URL(proxy) if proxy else None),))
        for i, key in enumerate(keys.split())
    ]
    pool = Pool(made)
    async with (
        replying(*replies) as upstream,
        open_upstream(connect_timeout=9, proxy=None) as opened,
    ):
        errands = Errands(opened, URL(upstream.url), pool)
        at = Scene(errands, pool, upstream)
        errands.clock = lambda: at.now

        def learn() -> None:
            at.learnt += 1

        errands.learnt = learn
        yield at


async def test_a_sick_key_is_checked_when_it_is_due_and_serves_again() -> None:
    async with scene(json_reply({"models": []})) as at:
        at.make_sick()
        await at.errands.check_keys()
        assert (at.well, at.upstream.seen) == (False, [])

        at.now += 86_400
        await at.errands.check_keys()

        (seen,) = at.upstream.seen
        assert (seen.method, seen.target) == ("GET", CHECK)
        assert seen.headers["x-goog-api-key"] == "a"
        assert at.well
        assert at.learnt == 1


async def test_a_key_that_is_still_refused_is_checked_after_a_longer_pause() -> None:
    async with scene(json_reply({"error": INVALID}, 400)) as at:
        at.make_sick()
        first = at.now = at.checked_at
        await at.errands.check_keys()

        assert at.checked_at - at.now > first - NOW
        assert not at.well


async def test_a_check_without_an_answer_says_nothing_of_the_key() -> None:
    async with scene(DEAD) as at:
        at.make_sick()
        at.now += 86_400

        await at.errands.check_keys()

        assert not at.well


async def test_a_look_up_is_a_read_with_a_key_of_the_project() -> None:
    async with scene(json_reply({}), error_reply(404), DEAD, keys="a b c") as at:
        statuses = [await at.errands.status(p, "/v1beta/files/x") for p in ("P0", "P1", "P2")]

        assert statuses == [200, 404, None]
        asked = dict.fromkeys(seen.headers["x-goog-api-key"] for seen in at.upstream.seen)
        assert list(asked) == ["a", "b", "c"]
        assert {seen.target for seen in at.upstream.seen} == {"/v1beta/files/x"}
        assert await at.errands.status("none", "/v1beta/files/x") is None


async def test_all_projects_are_asked_the_callers_home_first() -> None:
    async with scene(json_reply({}), keys="a b c d e f g h i j k") as at:
        order = at.errands.order("ann")

        assert sorted(order) == sorted(f"P{i}" for i in range(11))
        home = at.pool.pick(Wish(caller="ann"), at.now)
        assert isinstance(home, Pick)
        assert order[0] == home.key.project


async def test_a_read_goes_through_the_keys_proxy() -> None:
    async with replying(json_reply({})) as proxy, scene(json_reply({}), proxy=proxy.url) as at:
        assert await at.errands.status("P0", "/v1beta/files/x") == 200

        assert (len(proxy.seen), at.upstream.seen) == (1, [])
