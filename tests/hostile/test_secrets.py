"""A canary key and a canary prompt go through everything; no sink may sing."""

import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import attrs
import pytest
from yarl import URL

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from gemproxy.core.repair.request import StreamRequest
from gemproxy.exchange.credential import Credential, choose_credential
from gemproxy.exchange.target import Target
from gemproxy.observe import logs
from gemproxy.relay.sessions import UploadSession
from tests.running import StartProxy
from tests.sockets import Reader, Writer, connected, head, scripted
from tests.wire import ARRAY, STREAM

KEYS = ("AIzaSyCanary-0123456789abcdefghijklmno", "canary.key-0123456789")
"""One that looks like Google's, and one that no pattern could know."""

PROMPT = "the-canary-sings-at-midnight"
UNARY = "/v1beta/models/gemini-test:generateContent"
BODY = json.dumps(
    {
        "systemInstruction": {"parts": [{"text": f"{PROMPT} 1"}]},
        "contents": [
            {"role": "user", "parts": [{"text": f"{PROMPT} 2"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "f", "response": {"r": f"{PROMPT} 3"}}}],
            },
        ],
    }
).encode()


@attrs.define
class Sinks:
    """Everything that is written: the log's stream and its file."""

    stream: io.StringIO
    file: Path
    stop: Callable[[], None] = lambda: None

    def read(self) -> str:
        """Return all that was written, and write no more."""
        self.stop()
        return self.stream.getvalue() + (self.file.read_text() if self.file.exists() else "")


@pytest.fixture(params=["info json", "debug json", "debug text"])
def sinks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sinks]:
    """Log as a user might have it, into a place where one can look."""
    level, style = request.param.split()
    sinks = Sinks(io.StringIO(), tmp_path / "app.log")
    sinks.stop = logs.configure(
        level=level,
        style=style,
        file=str(sinks.file),
        debug_mode=level == "debug",
        stream=sinks.stream,
    )
    yield sinks
    written = sinks.read()
    assert written, "nothing was logged: the test looks at the wrong place"
    assert PROMPT not in written
    assert not [key for key in KEYS if key in written]


PLACES: dict[str, tuple[Mapping[str, str], str]] = {
    "x-goog-api-key": ({"x-goog-api-key": "{}"}, ""),
    "Bearer": ({"Authorization": "Bearer {}"}, ""),
    "query": ({}, "key={}"),
    "access_token": ({}, "access_token={}"),
    "two at once": ({"x-goog-api-key": "{}"}, "key={}"),
}


def sent(place: str, key: str, path: str) -> tuple[str, dict[str, str]]:
    headers, query = PLACES[place]
    mark = "&" if "?" in path else "?"
    asked = f"{path}{mark}{query.format(key)}" if query else path
    return asked, {name: value.format(key) for name, value in headers.items()}


CUTS = ("rst@event:3", "clean@200", "status:503", "error:500@event:2", "finish:OTHER@event:3")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("place", PLACES)
async def test_no_sink_shows_a_key_or_a_prompt(
    place: str, key: str, proxy: StartProxy, sinks: Sinks
) -> None:
    faults = [None, *map(parse_fault, CUTS)]
    async with ChaosServer(Script(Answer("A story. " * 60), faults, rearm=True)) as server:
        calm = await proxy(server, repair={"retry_delay_ms": 1})
        strict = await proxy(server, repair={"max_consecutive_retries": 0})
        streamed = await proxy(server, repair={"unary_via_stream": True, "retry_delay_ms": 1})
        for served, path in (
            (calm, STREAM),
            (calm, STREAM),
            (calm, UNARY),
            (strict, STREAM),
            (streamed, UNARY),
            (calm, "/v1beta/models/gemini-test:countTokens"),
            (calm, f"/upload/v1beta/files?name={PROMPT}"),
            (calm, "/v1beta/nothing"),
            (calm, "/v1beta/../climbing"),
        ):
            asked, headers = sent(place, key, path)
            async with served.connect() as connection:
                with contextlib.suppress(ConnectionError, EOFError):
                    answer = await connection.ask(asked, BODY, headers)
                    assert key not in str(answer.headers)


@contextlib.asynccontextmanager
async def telling_all() -> AsyncIterator[str]:
    """Run an upstream that says back what it was sent, where one does not expect it."""

    async def script(reader: Reader, writer: Writer) -> None:
        start = await head(reader)
        size = int(start.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0)
        body = await reader.readexactly(size)
        key = start.partition(b"x-goog-api-key: ")[2].split(b"\r\n")[0]
        message = f"API key not valid: {key.decode()}. You said: {body.decode()}"
        told = json.dumps({"error": {"code": 400, "message": message}}).encode()
        writer.write(
            b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nLocation: https://x/?key=%b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (key, len(told), told)
        )

    async with scripted(script) as url:
        yield str(url)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "path",
    [STREAM, ARRAY, UNARY, "/v1beta/corpora", "/upload/v1beta/files", "/v1beta/interactions"],
)
async def test_what_the_upstream_says_back_reaches_the_client_and_no_sink(
    path: str, key: str, proxy: StartProxy, sinks: Sinks
) -> None:
    """The key is the client's own, and Google's words are passed on; the log gets neither."""
    async with telling_all() as url:
        answer = await (await proxy(url)).ask(path, BODY, {"x-goog-api-key": key})

    assert answer.status == 400
    assert key.encode() in answer.body
    assert key not in str(answer.headers)


@pytest.mark.parametrize("key", KEYS)
async def test_a_bug_is_told_without_what_it_was_about(
    key: str, proxy: StartProxy, sinks: Sinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"x-goog-api-key: {key}")

    async with telling_all() as url:
        served = await proxy(url)
        monkeypatch.setattr("gemproxy.routes.stream.voice_of", broken)
        answer = await served.ask(STREAM, b"{}", {"x-goog-api-key": key})

    assert answer.status == 500
    assert b"Traceback" not in answer.body
    assert key.encode() not in answer.body


async def test_a_bug_is_told_without_a_prompt(
    proxy: StartProxy, sinks: Sinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(f"cannot read {PROMPT}") from KeyError(PROMPT)

    async with telling_all() as url:
        served = await proxy(url)
        monkeypatch.setattr("gemproxy.routes.stream.voice_of", broken)
        answer = await served.ask(STREAM, b"{}", {"x-goog-api-key": KEYS[1]})

    assert answer.status == 500
    assert "ValueError" in sinks.read()


MALFORMED = {
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\n%(prompt)b\r\n",
    "a chunk that is too long": b"Transfer-Encoding: chunked\r\n\r\n1\r\n%(prompt)b\r\n",
    "a control character in a header": b"Authorization: Bearer %(key)b\x01\r\n\r\n",
    "a NUL in a header": b"x-goog-api-key: %(key)b\x00\r\n\r\n",
    "a line that is no header": b"%(key)b %(prompt)b\r\n\r\n",
    "a header that is too long": b"X-A: %(prompt)b" + b"%(key)b" * 300 + b"\r\n\r\n",
    "two lengths": b"Content-Length: 1\r\nContent-Length: 2\r\nX-A: %(key)b\r\n\r\n%(prompt)b",
    "garbage behind a request": b"Content-Length: 0\r\n\r\n%(prompt)b %(key)b\r\n\r\n",
}
STARTS = {
    "a version that is none": b"GET /x?token=%(key)b&key=%(key)b HTTP/1.1 %(prompt)b\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%(key)b %(prompt)b",
    "a handshake of TLS": b"\x16\x03\x01%(key)b%(prompt)b\r\n\r\n",
    "a method that is none": b"G%(key)b=%(prompt)b / HTTP/1.1\r\n\r\n",
    "a target that is none": b"GET http://[%(prompt)b?key=%(key)b HTTP/1.1\r\n\r\n",
}
TOPS = {
    **{name: b"POST /v1beta/x HTTP/1.1\r\nHost: h\r\n" + rest for name, rest in MALFORMED.items()},
    **STARTS,
}


@pytest.mark.parametrize("name", TOPS)
async def test_a_malformed_request_shows_nothing_of_itself(
    name: str, proxy: StartProxy, sinks: Sinks
) -> None:
    raw = TOPS[name] % {b"key": KEYS[1].encode(), b"prompt": PROMPT.encode()}
    async with telling_all() as url:
        served = await proxy(url)
        async with connected(int(served.url.rpartition(":")[2]), raw) as client:
            client.writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await client.rest()
        await served.ask("/v1beta/corpora", BODY, {"x-goog-api-key": KEYS[0]})

    written = sinks.read()
    assert "ERROR" not in written
    assert "Traceback" not in written


@pytest.mark.parametrize(
    "path",
    [
        f"/v1beta/%41{KEYS[0][1:]}",
        f"/v1beta/%2541%49{KEYS[0][2:]}",
        f"/v1alpha/auth_tokens/{KEYS[1]}",
        f"/v1alpha/auth%5ftokens%2F{KEYS[1]}",
        f"/v1beta/x?%6bey={KEYS[1]}",
    ],
)
async def test_a_key_in_a_path_is_not_logged_however_it_is_spelt(
    path: str, proxy: StartProxy, sinks: Sinks
) -> None:
    async with telling_all() as url:
        await (await proxy(url)).ask(path, BODY)

    assert KEYS[0][8:] not in sinks.read()


@pytest.mark.parametrize("key", KEYS)
def test_no_value_of_ours_shows_what_it_holds(key: str) -> None:
    credential = choose_credential({"x-goog-api-key": key}, None)
    goal = Target.of("/v1beta/files", f"key={key}")
    session = UploadSession(goal.on(URL("https://upstream.test")), credential)

    assert credential == Credential.api_key(key)
    for value in (credential, session, goal, StreamRequest(BODY)):
        assert key not in repr(value)
        assert PROMPT not in repr(value)
