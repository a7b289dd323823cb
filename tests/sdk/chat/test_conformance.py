"""Stock clients of OpenAI's dialect through the running proxy, with a fake that refuses."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gemproxy.chaos.resources import vector
from gemproxy.routes.parts import IN_FLIGHT
from tests.running import StartProxy
from tests.sdk.chat import gemini, playing
from tests.sdk.chat.conformance import CLIENTS, FEATURES

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

BLOCKED = "The prompt was blocked (PROHIBITED_CONTENT)."

Seen = Any
"""What an application saw of a feature."""


def cells(client: str) -> list[pytest.MarkDecorator]:
    """Return the marks of all that a client offers."""
    (sdk,) = [sdk for sdk in CLIENTS if sdk.name == client]
    offered = [feature for feature in FEATURES if feature not in sdk.lacks]
    return [pytest.mark.chat(client, feature) for feature in offered]


def told() -> str:
    """Return what the drivers in JavaScript are told, from what those in Python import."""
    prompts = {
        name.lower(): getattr(playing, name)
        for name in (
            "TEXT",
            "TOOLS",
            "BLOCKED",
            "SCHEMA",
            "REFUSED",
            "CUT",
            "REPAIRED",
            "EMBEDDED",
            "DRAWN",
            "REDRAWN",
        )
    }
    return json.dumps(
        {
            "key": playing.KEY,
            "model": playing.MODEL,
            "embedding": playing.EMBEDDING,
            "drawing": playing.DRAWING,
            "jpeg": playing.JPEG,
            "prompts": prompts,
            "functions": playing.FUNCTIONS,
            "pictured": playing.WITH_PICTURE,
            "boat": playing.BOAT,
        }
    )


async def output(*command: str) -> dict[str, Seen]:
    """Return what a driver prints; it gets no variables that could hold a key or a proxy."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    seen: dict[str, Seen] = json.loads(said.splitlines()[-1])
    return seen


# What each feature must look like.


def is_text(seen: Seen) -> bool:
    return bool(
        seen["text"] == gemini.TEXT
        and seen.get("finish", "stop") == "stop"
        and seen["usage"] == [7, 8, 15]
        and seen.get("thoughts", "Let me weigh it.") in {"Let me weigh it.", None}
    )


def is_loop(seen: Seen) -> bool:
    """Look at the calls in their steps, or in one list where the client loops by itself."""
    wanted = [
        [["tide", {"port": "Brest"}], ["tide", {"port": "Kiel"}], ["wind", {"port": "Kiel"}]],
        [["book", {"boats": 2}]],
    ]
    if "calls" in seen:
        steps, wanted = [seen["calls"]], [[*wanted[0], *wanted[1]]]
    else:
        steps = seen["steps"]
    called = [
        [[name, json.loads(args) if isinstance(args, str) else args] for name, args in step]
        for step in steps
    ]
    results = ["low in Brest", "low in Kiel", "calm in Kiel", "2 boats"]
    places = [seen["text"].find(result) for result in results]
    return called == wanted and -1 not in places and places == sorted(places)


def is_picture(seen: Seen) -> bool:
    return bool(json.loads(seen) == [{"mimeType": "image/png", "data": gemini.PIXEL}])


def is_boat(seen: Seen) -> bool:
    return bool(seen == {"name": "Alk", "masts": 2})


def is_blocked(seen: Seen) -> bool:
    """Look at the finish reason; clients show the refusal as text, or raise it, or do not."""
    ended = seen.get("finish", "").replace("-", "_") == "content_filter"
    return (ended and seen["text"] in {"", BLOCKED}) or (
        seen.get("raised") == "ModelRefusalError" and BLOCKED in seen["message"]
    )


def is_refused(seen: Seen) -> bool:
    return "raised" in seen and gemini.REFUSED in seen["message"] and seen["status"] == 503


def is_cut(seen: Seen) -> bool:
    return "raised" in seen and seen["text"] == "ab" and "broke" in seen["message"]


def is_story(seen: Seen) -> bool:
    return bool(seen["text"] == gemini.STORY and seen.get("finish", "stop") == "stop")


def is_vector(seen: Seen) -> bool:
    return bool(seen == vector(playing.EMBEDDED))


def is_list(seen: Seen) -> bool:
    return set(seen) == {gemini.MODEL, gemini.EMBEDDING}


def is_drawn(seen: Seen) -> bool:
    return bool(seen == gemini.PIXEL)


def is_redrawn(seen: Seen) -> bool:
    return bool(seen == playing.JPEG)


def is_drawn_event(seen: Seen) -> bool:
    """Look at the types of the events, the picture of the last one, and its usage."""
    return bool(seen == [["image_generation.completed"], gemini.PIXEL, 15])


RIGHT: Mapping[str, Callable[[Seen], bool]] = {
    "text": is_text,
    "stream": is_text,
    "tools": is_loop,
    "tools, streamed": is_loop,
    "picture": is_picture,
    "JSON schema": is_boat,
    "blocked": is_blocked,
    "error": is_refused,
    "cut": is_cut,
    "cut, resumed": is_story,
    "embeddings": is_vector,
    "models": is_list,
    "image": is_drawn,
    "image edit": is_redrawn,
    "image, streamed": is_drawn_event,
}


def flaws(client: str, seen: Mapping[str, Seen]) -> Iterator[str]:
    """Yield what a client saw that it should not have seen."""
    (sdk,) = [sdk for sdk in CLIENTS if sdk.name == client]
    if set(seen) != set(FEATURES) - sdk.lacks:
        yield f"features: {sorted(seen)}"
    for feature, one in seen.items():
        try:
            right = RIGHT[feature](one)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield f"{feature}: {one} ({error!r})"
        else:
            if not right:
                yield f"{feature}: {one}"


async def conforms(proxy: StartProxy, client: str, *command: str) -> list[str]:
    """Run a client's driver, and return what was wrong."""
    async with gemini.fake_gemini() as fake:
        running = await proxy(fake.url)
        running.app[IN_FLIGHT].patience = 1.0  # as usual: Node reads the last words late
        words = [f"{running.url}/v1" if word == "URL" else word for word in command]
        seen = await output(*words)
        return [*flaws(client, seen), *fake.refused]


@pytest.mark.parametrize(
    "client", [pytest.param("openai (Python)", marks=cells("openai (Python)"))]
)
async def test_openai_for_python(proxy: StartProxy, client: str) -> None:
    driver = "tests.sdk.chat.with_openai"
    assert await conforms(proxy, client, sys.executable, "-m", driver, "URL") == []


@pytest.mark.parametrize(
    ("client", "driver"),
    [
        pytest.param("langchain-openai", "with_langchain", marks=cells("langchain-openai")),
        pytest.param("litellm", "with_litellm", marks=cells("litellm")),
        pytest.param("openai-agents", "with_agents", marks=cells("openai-agents")),
    ],
)
async def test_clients_for_python(
    proxy: StartProxy, clients: str, client: str, driver: str
) -> None:
    assert await conforms(proxy, client, clients, "-m", f"tests.sdk.chat.{driver}", "URL") == []


@pytest.mark.parametrize(
    ("client", "driver"),
    [
        pytest.param("openai (Node)", "openai.mjs", marks=cells("openai (Node)")),
        pytest.param(
            "@ai-sdk/openai-compatible", "aisdk.mjs", marks=cells("@ai-sdk/openai-compatible")
        ),
    ],
)
async def test_clients_for_node(proxy: StartProxy, node: str, client: str, driver: str) -> None:
    assert await conforms(proxy, client, node, str(HERE / driver), "URL", told()) == []
