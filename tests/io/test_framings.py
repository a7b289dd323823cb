"""An upstream that streams in a form of its own: the client has the one that it asked for."""

import json

import pytest

from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.framing import Style
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import chunk, sse, text_of
from tests.replies import replying, sse_reply
from tests.running import StartProxy
from tests.wire import ARRAY, KEY, STREAM, Answer, Ending

STORY = BUILT_IN["story"]
EMOJI = BUILT_IN["emoji"]
TYPES = [None, "text/plain; charset=utf-8", "application/octet-stream", "text/event-stream"]
PLACES = ["0", "1", "7", "400", "event:1", "event:6", "utf8:2", "end"]


def text(answer: Answer, target: str) -> str:
    """Return the visible text in the form that was asked for, whatever it is called."""
    if target == STREAM:
        return text_of(answer.body)
    return text_of(sse(*json.loads(answer.body)))


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize("style", Style)
async def test_an_answer_in_any_form_is_asked_for_once(
    proxy: StartProxy, style: Style, target: str, media_type: str | None
) -> None:
    script = Script(STORY, style=style, media_type=media_type)
    async with ChaosServer(script) as server:
        answer = await (await proxy(server)).ask(target)

        assert len(server.attempts) == 1
    assert text(answer, target) == STORY.text
    assert answer.ending is Ending.COMPLETE


@pytest.mark.parametrize("kind", ["clean", "rst", "truncated-chunk"])
@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize("style", Style)
async def test_a_cut_in_any_form_is_not_seen(
    proxy: StartProxy, style: Style, target: str, kind: str
) -> None:
    scripts = {
        f"gemini-{place.replace(':', '-')}": Script(
            EMOJI, [parse_fault(f"{kind}@{place}"), parse_fault("rst@300")], style=style
        )
        for place in PLACES
    }
    async with ChaosServer(scripts) as server:
        running = await proxy(server)
        for model in scripts:
            answer = await running.ask(target.replace("gemini-test", model))

            assert text(answer, target) == EMOJI.text
            assert answer.ending is Ending.COMPLETE
        assert server.violations == []


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize("at", [0, 1, 5])
async def test_a_bare_response_among_events_is_one_of_them(
    proxy: StartProxy, at: int, line_end: str
) -> None:
    script = Script(STORY, [parse_fault(f"bare@event:{at}")], line_end=line_end)
    async with ChaosServer(script) as server:
        answer = await (await proxy(server)).ask(STREAM)

        assert len(server.attempts) == 1
    events = answer.body.decode().split(line_end * 2)
    assert all(event.startswith("data: {") for event in events[:-1])
    assert answer.text == STORY.text
    assert answer.finish_reasons == ["STOP"]


@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize("style", Style)
async def test_without_repair_an_answer_is_translated_all_the_same(
    proxy: StartProxy, style: Style, target: str
) -> None:
    off = {**KEY, "X-Gemproxy-Repair": "off"}
    async with ChaosServer(Script(STORY, style=style)) as server:
        answer = await (await proxy(server)).ask(target, headers=off)

    assert text(answer, target) == STORY.text
    assert answer.ending is Ending.COMPLETE


async def test_a_bare_response_may_be_the_last_bytes(proxy: StartProxy) -> None:
    last = json.dumps(chunk(" Two.", finish="STOP"), indent=1).encode()
    async with replying(sse_reply(sse(chunk("One.")) + last)) as upstream:
        answer = await (await proxy(upstream.url)).ask(STREAM)

        assert len(upstream.seen) == 1
    assert answer.body.startswith(sse(chunk("One.")))
    assert answer.text == "One. Two."
    assert answer.finish_reasons == ["STOP"]


async def test_a_bare_response_that_is_cut_is_told_once(proxy: StartProxy) -> None:
    last = json.dumps(chunk(" Two.", finish="STOP"), indent=1).encode()
    broken = sse_reply(sse(chunk("One, and a half.")) + last[:-9])
    rest = sse_reply(sse(chunk("One, and a half. Two.", finish="STOP")))
    async with replying(broken, rest) as upstream:
        answer = await (await proxy(upstream.url)).ask(STREAM)

        assert len(upstream.seen) == 2
    assert answer.text == "One, and a half. Two."
