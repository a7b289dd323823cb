"""The clients of a soak: each sends one request after another and checks the answers.

They stream (events and arrays), make unary calls, use routes that pass through, upload and fetch
files, and sometimes leave in the middle. The seed determines each next request.
"""

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import attrs

from bench.soak_figures import Totals
from bench.soak_upstream import ANSWERS, MODELS_OF_EACH
from gemproxy.chaos.repertoire import BUILT_IN

PAUSE_SECONDS = (0.02, 0.12)
PATIENCE = aiohttp.ClientTimeout(total=120)
_KEY = {"x-goog-api-key": "test-key"}
_FILE_BYTES = (1, 60_000)
_LEAVES = 0.08  # of the streams
_OK = 200

Json = dict[str, Any]


class Wrong(Exception):
    """The answer is neither the upstream's nor an honest error."""


@attrs.define(eq=False)
class Client:
    """One client: sends requests to ``base`` until its end, and counts in ``totals``."""

    name: str
    base: str
    session: aiohttp.ClientSession
    totals: Totals
    rng: random.Random

    async def run(self, until: float) -> None:
        """Send one request after another until ``until`` (time.monotonic)."""
        kinds: Mapping[str, tuple[Callable[[], Awaitable[bool]], int]] = {
            "stream": (self._stream, 60),
            "array": (self._array, 12),
            "call": (self._call, 12),
            "count": (self._count, 6),
            "file": (self._file, 10),
        }
        weights = [weight for _, weight in kinds.values()]
        while time.monotonic() < until:
            (kind,) = self.rng.choices(list(kinds), weights)
            await self._try(kind, kinds[kind][0])
            await asyncio.sleep(self.rng.uniform(*PAUSE_SECONDS))

    async def _try(self, kind: str, ask: Callable[[], Awaitable[bool]]) -> None:
        self.totals.begun[kind] += 1
        try:
            if await ask():
                self.totals.exact[kind] += 1
        except Wrong as wrong:
            self.totals.wrong.append(f"{self.name}, {kind}: {wrong}")
        except Refused as refused:
            self.totals.errors[f"{kind}: {refused}"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.totals.errors[f"{kind}: {type(error).__name__}"] += 1

    def _model(self) -> tuple[str, str]:
        """Return the name of an answer, and of a model that gives it."""
        answer = self.rng.choice(ANSWERS)
        return BUILT_IN[answer].text, f"{answer}-{self.rng.randrange(MODELS_OF_EACH)}"

    def _asking(self, target: str, kind: str) -> contextlib.AbstractAsyncContextManager[Any]:
        body = {"contents": [{"role": "user", "parts": [{"text": f"{kind} of {self.name}"}]}]}
        return self.session.post(f"{self.base}{target}", json=body, headers=_KEY)

    async def _stream(self) -> bool:
        text, model = self._model()
        target = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
        leaves_after = self.rng.randint(0, 6000) if self.rng.random() < _LEAVES else None
        body = b""
        async with self._asking(target, "A stream") as answer:
            _check_status(answer)
            try:
                async for data in answer.content.iter_any():
                    body += data
                    if leaves_after is not None and len(body) > leaves_after:
                        self.totals.left += 1
                        answer.close()
                        return False
            except aiohttp.ClientError:
                check_beginning(body, text)
                raise
        check_whole(events(body), text)
        return True

    async def _array(self) -> bool:
        text, model = self._model()
        body = b""
        async with self._asking(f"/v1beta/models/{model}:streamGenerateContent", "An array") as got:
            _check_status(got)
            try:
                async for data in got.content.iter_any():
                    body += data
            except aiohttp.ClientError:
                check_beginning_of_array(body, text)
                raise
        check_whole(_documents(body), text)
        return True

    async def _call(self) -> bool:
        text, model = self._model()
        async with self._asking(f"/v1beta/models/{model}-unary:generateContent", "A call") as got:
            _check_status(got)
            body = await got.read()
        check_whole([_document(body)], text)
        return True

    async def _count(self) -> bool:
        _, model = self._model()
        async with self._asking(f"/v1beta/models/{model}:countTokens", "Tokens") as got:
            _check_status(got)
            document = _document(await got.read())
        if not isinstance(document.get("totalTokens"), int):
            raise Wrong(f"no count of tokens: {document}")
        return True

    async def _file(self) -> bool:
        """Upload a file, fetch it, compare, and delete it."""
        content = self.rng.randbytes(self.rng.randint(*_FILE_BYTES))
        headers = {**_KEY, "X-Goog-Upload-Protocol": "raw", "Content-Type": "image/png"}
        upload = f"{self.base}/upload/v1beta/files"
        async with self.session.post(upload, data=content, headers=headers) as got:
            _check_status(got)
            name = _document(await got.read())["file"]["name"]
        file = f"{self.base}/v1beta/{name}"
        try:
            async with self.session.get(f"{file}:download?alt=media", headers=_KEY) as got:
                _check_status(got)
                came = await got.read()
        finally:
            async with self.session.delete(file, headers=_KEY) as got:
                await got.read()
        if _digest(came) != _digest(content):
            raise Wrong(f"a file of {len(content)} bytes came back as {len(came)} others")
        return True


class Refused(Exception):
    """An error status, which is honest."""


def _check_status(answer: aiohttp.ClientResponse) -> None:
    if answer.status != _OK:
        raise Refused(f"status {answer.status}")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _document(body: bytes) -> Json:
    try:
        document: Json = json.loads(body)
    except ValueError:
        raise Wrong(f"no JSON: {body[-80:]!r}") from None
    return document


def _documents(body: bytes) -> list[Json]:
    documents: Any = _document(body)
    if not isinstance(documents, list):
        raise Wrong("no array")
    return documents


def events(body: bytes) -> list[Json]:
    """Return the documents of an event stream. Raises Wrong if its framing is broken."""
    *whole, rest = body.replace(b"\r\n", b"\n").split(b"\n\n")
    if rest:
        raise Wrong(f"the stream ends inside an event: {rest[-80:]!r}")
    return [_document(event.removeprefix(b"data: ")) for event in whole if event.strip()]


def text_of(documents: list[Json]) -> str:
    """Return the visible text of response objects."""
    return "".join(
        part.get("text", "")
        for document in documents
        for candidate in document.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
        if not part.get("thought")
    )


def check_whole(documents: list[Json], text: str) -> None:
    """Raise Wrong unless these have exactly the text ``text``, with one STOP at the end."""
    reasons = [
        candidate["finishReason"]
        for document in documents
        for candidate in document.get("candidates", [])
        if "finishReason" in candidate
    ]
    if reasons != ["STOP"]:
        raise Wrong(f"a clean end with the finishReasons {reasons}")
    _compare(text_of(documents), text, whole=True)


def check_beginning(body: bytes, text: str) -> None:
    """Raise Wrong unless a stream that ended with an error has a beginning of ``text``."""
    _compare(text_of(events(body)), text, whole=False)


def check_beginning_of_array(body: bytes, text: str) -> None:
    """Do the same for an array, whose last element is the error and which lacks its bracket."""
    _compare(text_of(_documents(body.rstrip() + b"]")), text, whole=False)


def _compare(seen: str, text: str, *, whole: bool) -> None:
    if seen == text or (not whole and text.startswith(seen)):
        return
    at = next((i for i, (a, b) in enumerate(zip(seen, text, strict=False)) if a != b), None)
    at = min(len(seen), len(text)) if at is None else at
    there, here = seen[max(at - 20, 0) : at + 20], text[max(at - 20, 0) : at + 20]
    raise Wrong(f"{len(seen)} of {len(text)} characters, differing at {at}: {there!r} for {here!r}")


async def run_clients(base: str, count: int, seconds: float, seed: int, totals: Totals) -> None:
    """Let ``count`` clients ask ``base`` for so many seconds."""
    until = time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:
        clients = [
            Client(f"client-{n}", base, session, totals, random.Random(f"{seed}-{n}"))
            for n in range(count)
        ]
        async with asyncio.TaskGroup() as running:
            for client in clients:
                running.create_task(client.run(until))
