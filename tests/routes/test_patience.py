"""How long each route waits for an answer to begin: as long as the client says, else an hour."""

import asyncio
from typing import Any

import attrs
import pytest

from gemproxy.core.repair.events import How
from gemproxy.relay.handshake import Sockets
from gemproxy.relay.redirects import Hop
from gemproxy.relay.upstream import AttemptFailed, Upstream
from tests.gemini import BODY
from tests.running import StartProxy
from tests.wire import ARRAY, STREAM

MODEL = "/v1beta/models/gemini-test"
POSTS = {
    "stream": STREAM,
    "array": ARRAY,
    "a stream that is passed through": f"{MODEL}:streamGenerateContent?alt=proto",
    "generateContent": f"{MODEL}:generateContent",
    "countTokens": f"{MODEL}:countTokens",
    "embeddings": f"{MODEL}:batchEmbedContents",
    "predict": f"{MODEL}:predict",
    "a long prediction": f"{MODEL}:predictLongRunning",
    "interactions": "/v1beta/interactions",
    "cachedContents": "/v1beta/cachedContents",
    "OpenAI": "/v1beta/openai/chat/completions",
    "an upload": "/upload/v1beta/files",
}
GETS = {
    "a model": f"{MODEL}",
    "the merged models": "/v1/models",
    "a file": "/v1beta/files/x",
    "an interaction": "/v1beta/interactions/x?stream=true",
    "Live": "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
}
LIVE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
ROUTES = [
    *((name, "POST", target) for name, target in POSTS.items()),
    *((name, "GET", target) for name, target in GETS.items()),
]
HEADER = "X-Server-Timeout"


@attrs.define
class Asked:
    """The patience with each attempt, and the header that it carries."""

    patience: list[float] = attrs.field(factory=list)
    told: list[str | None] = attrs.field(factory=list)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Note each attempt, and let none reach anybody."""
    seen = Asked()

    def attempt(headers: Any, patience: float) -> Any:
        seen.patience.append(patience)
        seen.told.append(headers.get(HEADER))
        raise AttemptFailed(How.RESET, "a test")

    async def open_(
        _self: object, _method: object, hop: Hop, _body: object, patience: float, _want: object
    ) -> Any:
        return attempt(hop.headers, patience)

    async def connect(
        _self: object,
        _url: object,
        headers: Any,
        _protocols: object,
        patience: float,
        _proxy: object,
    ) -> Any:
        return attempt(headers, patience)

    monkeypatch.setattr(Upstream, "open", open_)
    monkeypatch.setattr(Sockets, "connect", connect)
    return seen


async def ask(proxy: StartProxy, method: str, target: str, seconds: str | None) -> None:
    running = await proxy("http://127.0.0.1:1", repair={"max_consecutive_retries": 1})
    headers = {**({HEADER: seconds} if seconds else {}), **(LIVE if "/ws/" in target else {})}
    body = BODY if method == "POST" else b""
    await running.ask(target, body, {"Content-Type": "application/json", **headers}, method)


@pytest.mark.parametrize(("name", "method", "target"), ROUTES)
async def test_without_a_word_of_the_client_it_is_an_hour(
    proxy: StartProxy, asked: Asked, name: str, method: str, target: str
) -> None:
    await ask(proxy, method, target, None)

    assert set(asked.patience) == {3600.0}, name
    assert set(asked.told) == {None}


@pytest.mark.parametrize("seconds", [20, 900, 5000])
@pytest.mark.parametrize(("name", "method", "target"), ROUTES)
async def test_the_clients_seconds_are_the_patience_up_and_down(
    proxy: StartProxy, asked: Asked, name: str, method: str, target: str, seconds: int
) -> None:
    await ask(proxy, method, target, str(seconds))

    assert all(seconds - 19 < patience <= seconds for patience in asked.patience), name
    assert asked.told[0] == str(seconds)
    assert all(1 <= int(told or 0) <= seconds for told in asked.told)


@pytest.mark.parametrize("target", [STREAM, ARRAY, POSTS["generateContent"], POSTS["embeddings"]])
async def test_a_later_attempt_has_what_is_left_and_is_told_so(
    proxy: StartProxy, asked: Asked, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    time, ahead = loop.time, [0.0]

    async def pause(_seconds: float) -> None:
        ahead[0] += 100.0

    monkeypatch.setattr("gemproxy.exchange.deadline._now", lambda: time() + ahead[0])
    monkeypatch.setattr("gemproxy.relay.pacing.Pacing.__attrs_post_init__", _pausing(pause))

    await ask(proxy, "POST", target, "900")

    assert [round(patience, -2) for patience in asked.patience] == [900, 800]
    assert asked.told == ["900", "800"]


def _pausing(pause: Any) -> Any:
    def begin(pacing: Any) -> None:
        pacing.sleep = pause
        pacing._seen = pacing.progress()

    return begin
