"""The fake Gemini behind OpenAI's clients: it answers by scenes, and refuses what Gemini refuses.

The first user text of a request names its scene, as in "tools: plan the dive". Every body passes
the gatekeeper first, whose texts are the 400 that a client gets. The scene ``tools`` issues
signatures with its calls and refuses a step that comes back without them. The scene ``repaired``
is played by the chaos server, which cuts its first attempt and knows how a resume is asked for.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import aiohttp
import attrs
from aiohttp import web
from aiohttp.test_utils import TestServer

from gemproxy.chaos.answers import Answer
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.resources import vector
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gatekeeper import Json, problems, refusal

MODEL = "gemini-3.8-flash"
EMBEDDING = "gemini-embedding-001"
PIXEL = "iVBORw0KGgo="
TEXT = "Alk, Bora and Cirrus sail 🪸 north."
STORY = "A story that is long enough to be cut somewhere in its middle. " * 8
REFUSED = "The model is overloaded, says the fake."

Scene = Callable[[Json, int], list[Json]]
"""(the request's body, how many results of tools it has) -> the frames of the answer."""


class Refused(Exception):
    """The fake answers with an error; the argument is its status."""


class Cut(Exception):
    """The connection breaks off after the frames that were given."""


def frame(*parts: Json, finish: str | None = None, **more: Any) -> Json:
    """Return one response of a stream."""
    candidate: Json = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": MODEL, **more}


def call(name: str, args: Json, signature: str | None = None, **more: str) -> Json:
    """Return a part with a call."""
    part: Json = {"functionCall": {"name": name, "args": args, **more}}
    return part if signature is None else {**part, "thoughtSignature": signature}


USAGE = {
    "promptTokenCount": 7,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 15,
}
STEPS = (
    (
        call("tide", {"port": "Brest"}, "UzE="),
        call("tide", {"port": "Kiel"}),
        call("wind", {"port": "Kiel"}),
    ),
    (call("book", {"boats": 2}, "UzI=", id="C"),),
)
"""The calls of each step of the scene ``tools``, in frames of their own."""


def _text(body: Json, _step: int) -> list[Json]:
    words = TEXT.split(" ")
    return [
        frame({"text": "Let me weigh it.", "thought": True}),
        *(frame({"text": f"{word} "}) for word in words[:-1]),
        frame({"text": words[-1]}),
        frame({"text": ""}, finish="STOP", usageMetadata=USAGE),
    ]


def _tools(body: Json, step: int) -> list[Json]:
    _check_signatures(body)
    if step < len(STEPS):
        calls = [frame(part) for part in STEPS[step]]
        return [*calls, frame({"text": ""}, finish="STOP", usageMetadata=USAGE)]
    results = [part["functionResponse"]["response"] for part in _parts(body, "functionResponse")]
    told = json.dumps(results, ensure_ascii=False)
    return [frame({"text": f"Booked after {told}"}, finish="STOP", usageMetadata=USAGE)]


def _check_signatures(body: Json) -> None:
    answers = [turn for turn in body["contents"] if turn.get("role") == "model"]
    steps = [[part for part in turn["parts"] if "functionCall" in part] for turn in answers]
    for issued, came in zip(STEPS, filter(None, steps), strict=False):
        for gave, got in zip(issued, came, strict=True):
            if gave.get("thoughtSignature") != got.get("thoughtSignature"):
                raise Refused(400, f"wrong thought_signature: {got.get('thoughtSignature')}")


def _blocked(body: Json, _step: int) -> list[Json]:
    counts = {"promptTokenCount": 8, "totalTokenCount": 8}
    feedback = {"blockReason": "PROHIBITED_CONTENT"}
    return [{"promptFeedback": feedback, "usageMetadata": counts, "responseId": "r1"}]


def _picture(body: Json, _step: int) -> list[Json]:
    found = [part["inlineData"] for part in _parts(body, "inlineData")]
    return [frame({"text": json.dumps(found)}, finish="STOP", usageMetadata=USAGE)]


def _drawn(body: Json, _step: int) -> list[Json]:
    if "IMAGE" not in body.get("generationConfig", {}).get("responseModalities", ()):
        raise Refused(400, "no picture is asked for")
    draft = {"inlineData": {"mimeType": "image/png", "data": "ZHJhZnQ="}, "thought": True}
    return [frame(draft, _image("image/png", PIXEL), finish="STOP", usageMetadata=USAGE)]


def _redrawn(body: Json, _step: int) -> list[Json]:
    (found,) = (part["inlineData"] for part in _parts(body, "inlineData"))
    return [frame(_image(**found), finish="STOP", usageMetadata=USAGE)]


def _image(mimeType: str, data: str) -> Json:  # noqa: N803 (the API's own names)
    return {"inlineData": {"mimeType": mimeType, "data": data}}


def _schema(body: Json, _step: int) -> list[Json]:
    config = body.get("generationConfig", {})
    schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
    if "name" not in schema.get("properties", {}):
        raise Refused(400, "no response schema came")
    parts = ({"text": '{"name": '}, {"text": '"Alk", "masts": 2}'})
    return [frame(parts[0]), frame(parts[1], finish="STOP", usageMetadata=USAGE)]


def _refused(body: Json, _step: int) -> list[Json]:
    raise Refused(503, REFUSED)


def _cut(body: Json, _step: int) -> list[Json]:
    raise Cut


SCENES: Mapping[str, Scene] = {
    "text": _text,
    "tools": _tools,
    "blocked": _blocked,
    "picture": _picture,
    "drawn": _drawn,
    "redrawn": _redrawn,
    "schema": _schema,
    "refused": _refused,
    "cut": _cut,
}


def _parts(body: Json, field: str) -> Iterator[Json]:
    return (part for turn in body["contents"] for part in turn["parts"] if field in part)


def _scene_of(body: Json) -> str:
    first = next(_parts(body, "text"), {"text": ""})
    return str(first["text"]).partition(":")[0]


@attrs.define(eq=False)
class Gemini:
    """The fake; ``refused`` has the problems that it refused bodies for."""

    url: str
    _chaos: str
    _session: aiohttp.ClientSession
    refused: list[str] = attrs.field(factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        model, _, method = request.match_info["call"].partition(":")
        if not method:
            return await self.onward(request)
        body: Json = await request.json()
        found = problems(model, method, body)
        if found:
            self.refused += found
            return web.json_response(refusal(found), status=400)
        if method == "batchEmbedContents":
            return web.json_response(_embedded(body))
        scene = _scene_of(body)
        if scene not in SCENES:
            return await self.onward(request)
        return await self._play(SCENES[scene], body, request)

    async def _play(self, scene: Scene, body: Json, request: web.Request) -> web.StreamResponse:
        step = sum(
            1 for turn in body["contents"] if any("functionResponse" in p for p in turn["parts"])
        )
        cut = False
        try:
            frames = scene(body, step)
        except Cut:
            frames, cut = [frame({"text": "ab"})] if len(body["contents"]) == 1 else [], True
        except Refused as error:
            status, message = error.args
            if status == 400:
                self.refused.append(message)
            fault = {"code": status, "message": message, "status": "UNAVAILABLE"}
            return web.json_response({"error": fault}, status=status)
        if request.path.endswith(":generateContent"):
            return web.json_response(frames[0])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for one in frames:
            await response.write(b"data: " + json.dumps(one).encode() + b"\r\n\r\n")
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    async def onward(self, request: web.Request) -> web.StreamResponse:
        """Have the chaos server answer; its cuts are cuts here."""
        headers = {
            name: request.headers[name]
            for name in ("x-goog-api-key", "Content-Type")
            if name in request.headers
        }
        async with self._session.request(
            request.method,
            self._chaos + request.path_qs,
            data=await request.read(),
            headers=headers,
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.headers["Content-Type"]}
            )
            await response.prepare(request)
            try:
                async for piece in answer.content.iter_any():
                    await response.write(piece)
            except aiohttp.ClientError:
                if request.transport is not None:
                    request.transport.abort()
        return response


def _embedded(body: Json) -> Json:
    texts = [one["content"]["parts"][0]["text"] for one in body["requests"]]
    return {"embeddings": [{"values": vector(text)} for text in texts]}


@contextlib.asynccontextmanager
async def fake_gemini() -> AsyncIterator[Gemini]:
    """Yield the fake, which serves until the exit."""
    story = Script(
        Answer(STORY), [parse_fault("rst@event:2"), parse_fault("clean@event:2")], rearm=True
    )
    async with (
        ChaosServer({MODEL: story, EMBEDDING: story}) as chaos,
        aiohttp.ClientSession() as session,
    ):
        gemini = Gemini("", chaos.url, session)
        app = web.Application(client_max_size=2**24)
        for version in ("v1", "v1beta"):
            app.router.add_route("*", f"/{version}/models/{{call:[^/]+}}", gemini.handle)
            app.router.add_route("GET", f"/{version}/models", gemini.onward)
        async with TestServer(app) as server:
            gemini.url = str(server.make_url("")).rstrip("/")
            yield gemini
