"""JSON answers over sockets: whole and valid however often they are cut, or a loud end."""

import json

import pytest

from gemproxy.chaos import answers
from gemproxy.chaos.behaviours import Behaviour
from gemproxy.chaos.faults import parse_fault
from gemproxy.chaos.script import Script
from gemproxy.chaos.server import ChaosServer
from tests.gemini import REQUEST, Json
from tests.running import AccessLog, StartProxy
from tests.wire import ARRAY, STREAM, Ending, text_of_documents

RECIPES: Json = {
    "recipes": [
        {
            "name": f"Soup number {number}",
            "steps": ["Boil a litre of water.", f"Peel {number} carrots \u2014 or more.", "Wait."],
            "minutes": 10 * number + 5,
            "vegan": number % 2 == 0,
        }
        for number in range(1, 18)
    ],
    "total": 17,
}
WHOLE = json.dumps(RECIPES, ensure_ascii=False)
SCHEMA: Json = {
    "type": "OBJECT",
    "properties": {
        "recipes": {"type": "ARRAY", "items": {"type": "OBJECT", "required": ["name", "steps"]}},
        "total": {"type": "INTEGER"},
    },
    "required": ["recipes", "total"],
}
QUICK = {"max_consecutive_retries": 2, "retry_delay_ms": 1}
CUTS = ("clean", "rst", "fin", "error:503", "truncated-chunk", "bad-chunk")


def asking(schema: Json | None = None, mime_type: str = "application/json") -> bytes:
    config = {"responseMimeType": mime_type, "responseSchema": schema or SCHEMA}
    return json.dumps({**REQUEST, "generationConfig": config}).encode()


def cut_often(text: str, behaviour: Behaviour, cuts: int = 6) -> Script:
    """Return a script that cuts each of so many attempts a few frames on."""
    faults = [parse_fault(f"{CUTS[n % len(CUTS)]}@event:12") for n in range(cuts)]
    return Script(answers.Answer(text, chunk=(8, 30)), faults, behaviour=behaviour)


@pytest.mark.parametrize("target", [STREAM, ARRAY])
@pytest.mark.parametrize(
    "behaviour", [Behaviour.ECHO, Behaviour.PLAIN, Behaviour.ECHO_MORE, Behaviour.THINK_FIRST]
)
async def test_a_document_that_is_cut_six_times_comes_out_whole(
    proxy: StartProxy, access_log: AccessLog, behaviour: Behaviour, target: str
) -> None:
    async with ChaosServer(cut_often(WHOLE, behaviour)) as upstream:
        answer = await (await proxy(upstream, repair=QUICK)).ask(target, asking())

        assert upstream.violations == []
    assert answer.ending is Ending.COMPLETE
    assert answer.text == WHOLE
    assert answer.finish_reasons == ["STOP"]
    line = await access_log.line()
    assert line["attempts"] == 7
    assert line["characters"] == len(WHOLE)


async def test_two_whole_new_documents_in_a_row_are_a_loud_end(proxy: StartProxy) -> None:
    script = cut_often(WHOLE, Behaviour.ANOTHER_DOCUMENT, cuts=1)
    async with ChaosServer(script) as upstream:
        answer = await (await proxy(upstream, repair=QUICK)).ask(body=asking())

        assert len(upstream.attempts) == 3
    assert answer.ending is Ending.FIN
    *frames, error = answer.documents
    assert "error" in error
    assert WHOLE.startswith(text_of_documents(frames))


@pytest.mark.parametrize("behaviour", [Behaviour.RESTART, Behaviour.PLAIN])
async def test_an_answer_that_is_one_of_a_few_values_is_made_whole(
    proxy: StartProxy, behaviour: Behaviour
) -> None:
    moods = {"type": "STRING", "enum": ["sweet", "savoury", "bittersweet"]}
    told = answers.Answer("bittersweet", chunk=(3, 3))
    script = Script(told, [parse_fault("rst@event:3")], behaviour=behaviour)
    async with ChaosServer(script) as upstream:
        asked = asking(moods, "text/x.enum")
        answer = await (await proxy(upstream, repair=QUICK)).ask(body=asked)

    assert (answer.text, answer.ending) == ("bittersweet", Ending.COMPLETE)
