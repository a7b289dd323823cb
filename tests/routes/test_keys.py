"""A source of keys of one's own in place of the client's credential, through the whole proxy."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
import pytest
from yarl import URL

from gemproxy.core.repair.blame import Fault
from gemproxy.exchange.account import Entry
from gemproxy.exchange.credential import Credential
from gemproxy.exchange.exchange import Exchange
from gemproxy.web.app import create_app
from tests.gemini import BODY, chunk, sse
from tests.replies import Replies, Reply, error_reply, json_reply, replying, sse_reply
from tests.running import settings
from tests.sockets import running
from tests.wire import STREAM, Answer, connect


@attrs.frozen(eq=False)
class KeyLease:
    """One of two keys, for one attempt."""

    keys: "TwoKeys"
    base: URL
    key: str
    another: bool
    proxy: URL | None = None
    detour: bool = False
    project: str = ""

    @property
    def credential(self) -> Credential:
        return Credential.api_key(self.key)

    def answered(self) -> None:
        pass

    def witness(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        del exchange, status, headers

    async def named(self, names: Mapping[str, float | None]) -> None:
        raise AssertionError(f"nobody records {names}")

    def over(self, entry: Entry) -> None:
        if entry.fault is Fault.KEY:
            self.keys.spent.add(entry.key)


@attrs.define(eq=False)
class TwoKeys:
    """Gives the first key that is not spent; a name that is bound has its owner's, always."""

    base: URL
    owners: dict[str, str] = attrs.field(factory=lambda: {"files/b": "key-b"})
    spent: set[str] = attrs.field(factory=set)

    async def lease(self, exchange: Exchange, body: bytes | None) -> KeyLease:
        del body  # a key whose fault a refusal was is spent by now
        for name in exchange.bound:
            return KeyLease(self, self.base, self.owners[name], another=False)
        left = [key for key in ("key-a", "key-b") if key not in self.spent] or ["key-a"]
        return KeyLease(self, self.base, left[0], another=len(left) > 1)


FILE = "/v1beta/files/b"
GENERATE = "/v1beta/models/m:generateContent"
SPENT = error_reply(429, {"@type": "type.googleapis.com/google.rpc.QuotaFailure"})
WHOLE = json_reply(
    {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
)


@asynccontextmanager
async def asked(
    *replies: Reply, target: str, method: str = "POST"
) -> AsyncIterator[tuple[Answer, Replies]]:
    """Ask once, with a credential that must not go up."""
    async with replying(*replies) as upstream:
        app = create_app(settings(upstream.url), source=TwoKeys)
        async with running(app) as port, connect(f"http://127.0.0.1:{port}") as connection:
            body = BODY if method == "POST" else b""
            headers = {"x-goog-api-key": "clients"}
            yield await connection.ask(target, body, headers, method), upstream


def keys(upstream: Replies) -> list[str]:
    return [seen.headers["x-goog-api-key"] for seen in upstream.seen]


async def test_the_second_key_is_used_when_the_quota_of_the_first_is_spent() -> None:
    async with asked(SPENT, WHOLE, target=GENERATE) as (answer, upstream):
        assert answer.status == 200
        assert keys(upstream) == ["key-a", "key-b"]


async def test_two_spent_keys_are_refused_as_google_refused_them() -> None:
    async with asked(SPENT, SPENT, target=GENERATE) as (answer, upstream):
        assert answer.status == 429
        assert keys(upstream) == ["key-a", "key-b"]


async def test_a_stream_that_broke_is_resumed_with_the_other_key() -> None:
    begun = sse(chunk("Once upon a time there was a harbour. "))
    rest = sse(chunk("Ships came and went.", finish="STOP"))
    replies = (sse_reply(begun, closes=True), SPENT, sse_reply(rest))
    async with asked(*replies, target=STREAM) as (answer, upstream):
        assert answer.status == 200
        assert b"Ships came and went." in b"".join(answer.chunks)
        assert b'"error"' not in b"".join(answer.chunks)
        assert keys(upstream) == ["key-a", "key-a", "key-b"]


@pytest.mark.parametrize("refusal", [SPENT, json_reply({})])
async def test_a_name_that_is_bound_goes_to_its_owner_always(refusal: Reply) -> None:
    async with asked(refusal, WHOLE, target=FILE, method="GET") as (_, upstream):
        assert keys(upstream) == ["key-b"]
