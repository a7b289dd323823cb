"""Whole chat requests, translated."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemproxy.core.errors import BadField
from gemproxy.openai.asked import Telling
from gemproxy.openai.request import GO_ON, Ways, translate
from gemproxy.openai.signatures import PLACEHOLDER
from gemproxy.shaping.injection import Injection
from gemproxy.shaping.shaping import Shaping
from gemproxy.shaping.thinking import Thinking, Thoughts
from tests.gatekeeper import problems
from tests.openai.conversations import conversations, texts_of
from tests.openai.told import message

Json = dict[str, Any]

MODELS = (
    "gemini-3.8-flash",
    "gemini-3.1-pro-preview",
    "gemini-2.5-flash",
    "gemini-3-pro-image",
    "gemini-2.5-flash-image",
    "gemma-4-31b-it",
)

HELLO: Json = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "hi"}]}


def test_a_plain_request_is_translated() -> None:
    asked = translate(HELLO, Ways())

    assert asked.model == "gemini-3.8-flash"
    assert asked.body == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    assert problems(asked.model, "generateContent", asked.body) == []
    assert not asked.stream


@pytest.mark.parametrize(
    ("named", "model"),
    [
        ("gemini-3.8-flash", "gemini-3.8-flash"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("gpt-4o", "gemini-3.5-flash"),
        (None, "gemini-2.5-flash"),
    ],
)
def test_the_model_is_found(named: str | None, model: str) -> None:
    asked = translate({**HELLO, "model": named}, Ways(aliases={"gpt-4o": "gemini-3.5-flash"}))

    assert asked.model == model
    assert asked.telling.model == (named or model)


@pytest.mark.parametrize("model", [7, "", "../files", "a b", "m:countTokens", "m?key=1", "a/b"])
def test_a_name_that_is_no_model_is_refused(model: object) -> None:
    with pytest.raises(BadField) as caught:
        translate({**HELLO, "model": model}, Ways())

    assert caught.value.field == "model"


@pytest.mark.parametrize(
    ("named", "model", "config"),
    [
        ("gemini-2.5-flash-thinking-128", "gemini-2.5-flash", {"thinkingBudget": 128}),
        ("gpt-4o-high", "gemini-3.8-flash", {"thinkingLevel": "HIGH"}),
        ("quick-low", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("quick-low-search", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("quick-low-high", "gemini-2.5-flash", {"thinkingBudget": 24576}),
        ("gemini-2.5-flash", "gemini-2.5-flash", None),
    ],
)
def test_suffixes_are_wishes_where_they_are_on(named: str, model: str, config: Json | None) -> None:
    aliases = {"gpt-4o": "gemini-3.8-flash", "quick-low": "gemini-2.5-flash-nothinking"}
    asked = translate({**HELLO, "model": named}, Ways(aliases=aliases, suffixes=True))

    assert asked.model == model
    assert asked.telling.model == named
    assert asked.body.get("generationConfig", {}).get("thinkingConfig") == config
    assert problems(asked.model, "generateContent", asked.body) == []


def test_a_suffix_is_a_part_of_the_name_where_they_are_off() -> None:
    assert translate({**HELLO, "model": "gemini-x-high"}, Ways()).model == "gemini-x-high"


def test_a_suffix_searches() -> None:
    asked = translate({**HELLO, "model": "gemini-2.5-flash-search"}, Ways(suffixes=True))

    assert asked.body["tools"] == [{"googleSearch": {}}]


def test_the_request_goes_before_the_suffix_and_that_before_the_default() -> None:
    thoughts = Thoughts(Thinking(level="LOW"))
    ways = Ways(suffixes=True, shaping=Shaping(thoughts))

    def level(model: str, **more: object) -> object:
        body = translate({**HELLO, "model": model, **more}, ways).body
        return body["generationConfig"]["thinkingConfig"]["thinkingLevel"]

    assert level("gemini-3.5-flash") == "LOW"
    assert level("gemini-3.5-flash-medium") == "MEDIUM"
    assert level("gemini-3.5-flash-medium", reasoning_effort="high") == "HIGH"


@pytest.mark.parametrize("model", MODELS)
def test_the_operators_prompt_is_in_it(model: str) -> None:
    ways = Ways(shaping=Shaping(injection=Injection("Mind the tide.")))

    asked = translate({**HELLO, "model": model}, ways)

    assert asked.injected
    assert json.dumps(asked.body).count("Mind the tide.") == 1
    assert not translate({**HELLO, "model": model}, Ways()).injected


def test_everything_else_has_its_place() -> None:
    tool = {"type": "function", "function": {"name": "1c", "parameters": {"type": "object"}}}
    document = {
        **HELLO,
        "tools": [tool],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "stream": True,
        "stream_options": {"include_usage": True},
        "n": 2,
        "temperature": 1,
        "stop": "x",
    }

    asked = translate(document, Ways(markdown=True))

    (upstream,) = asked.telling.names
    assert asked.telling == Telling(
        model="gemini-3.8-flash",
        names={upstream: "1c"},
        single_call=True,
        include_usage=True,
        markdown=True,
    )
    assert (asked.stream, asked.n) == (True, 2)
    assert asked.body["tools"][0]["functionDeclarations"][0]["name"] == upstream
    assert asked.body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert asked.body["generationConfig"] == {"temperature": 1, "stopSequences": ["x"]}


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3.8-flash", "gemma-4-31b-it"])
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "S"}]])
def test_the_wish_for_json_beside_tools_is_not_lost(model: str, system: list[Json]) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    messages = [*system, *HELLO["messages"]]
    document = {"model": model, "messages": messages, "tools": [tool]}

    body = translate({**document, "response_format": {"type": "json_object"}}, Ways()).body

    assert problems(model, "generateContent", body) == []
    mime = body.get("generationConfig", {}).get("responseMimeType")
    assert mime == "application/json" or "JSON" in json.dumps(body)


@pytest.mark.parametrize("stream", ["yes", 1, {}])
def test_stream_is_a_switch(stream: object) -> None:
    with pytest.raises(BadField) as caught:
        translate({**HELLO, "stream": stream}, Ways())

    assert caught.value.field == "stream"


def arrived(body: Json) -> list[str]:
    """Return the marked texts of a native request, in order, those of results among them."""
    system = body.get("systemInstruction", {"parts": []})
    everything = [*system["parts"], *(p for one in body["contents"] for p in one["parts"])]
    return re.findall(r"[tr]\d+(?:-\d+)?\.", json.dumps(everything))


@given(conversations(), st.sampled_from(MODELS))
def test_gemini_takes_every_conversation_and_each_text_of_it(
    messages: list[Json], model: str
) -> None:
    asked = translate({"model": model, "messages": messages}, Ways())

    assert problems(model, "streamGenerateContent", asked.body) == []
    said = [text for text in texts_of(messages) if text[0] == "t"]
    results = [text for text in texts_of(messages) if text[0] == "r"]
    found = arrived(asked.body)
    assert [text for text in found if text[0] == "t"] == said
    assert sorted(text for text in found if text[0] == "r") == sorted(results)


@given(conversations(), st.sampled_from(MODELS))
def test_the_same_conversation_gives_the_same_request(messages: list[Json], model: str) -> None:
    document = {"model": model, "messages": messages}
    before = json.dumps(document)

    assert translate(document, Ways()) == translate(document, Ways())
    assert json.dumps(document) == before


@given(conversations(), conversations(), st.sampled_from(MODELS))
def test_a_longer_conversation_begins_like_the_shorter_one(
    messages: list[Json], more: list[Json], model: str
) -> None:
    """Gemini caches equal beginnings. A step counts when it is over: its results are all there."""
    question: Json = {"role": "user", "content": "And?"}
    answer: Json = {"role": "assistant", "content": "Yes."}
    past = [{"role": "user", "content": "go"}, *messages, answer, question, answer]
    short = translate({"model": model, "messages": past}, Ways()).body["contents"]
    fresh = [one for one in more if one["role"] not in {"tool", "function", "assistant"}]
    long = translate({"model": model, "messages": [*past, *fresh]}, Ways()).body["contents"]

    whole = [one for one in short if one != {"role": "user", "parts": [{"text": GO_ON}]}]
    assert long[: len(whole)] == whole


names = st.sampled_from(["tide", "1c reload", "重启", "shop server/list items"])
args = st.dictionaries(
    st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none() | st.just(1.5), max_size=3
)
signature = st.binary(min_size=1, max_size=40).map(lambda data: base64.b64encode(data).decode())
ids = st.none() | st.text(min_size=1, max_size=12)
made = st.lists(st.tuples(names, args, ids, st.none() | signature), min_size=1, max_size=4)


@given(st.none() | st.text(min_size=1), made, st.sampled_from(["drops", "echoes"]))
def test_a_turn_comes_back_as_the_model_made_it(
    said: str | None, calls: list[tuple[str, Json, str | None, str | None]], client: str
) -> None:
    """A turn goes through both translators: for clients that keep unknown fields, or do not."""
    tools = [{"type": "function", "function": {"name": name}} for name in {one[0] for one in calls}]
    document: Json = {"model": MODELS[0], "messages": HELLO["messages"], "tools": tools}
    telling = translate(document, Ways()).telling
    up = {theirs: ours for ours, theirs in telling.names.items()}
    parts: list[Json] = [] if said is None else [{"text": said}]
    for name, arguments, own, signed in calls:
        function = {"name": up.get(name, name), "args": arguments}
        given = {"functionCall": function if own is None else {"id": own, **function}}
        parts.append(given if signed is None else {**given, "thoughtSignature": signed})
    content = {"role": "model", "parts": parts}
    answered = message([{"candidates": [{"content": content, "finishReason": "STOP"}]}], telling)
    if client == "drops":
        kept = ("id", "type", "function")
        told = [{key: one[key] for key in kept} for one in answered["tool_calls"]]
        answered = {"role": "assistant", "content": answered["content"], "tool_calls": told}
    results = [
        {"role": "tool", "tool_call_id": one["id"], "content": f"r{number}"}
        for number, one in enumerate(answered["tool_calls"])
    ]

    sent = {**document, "messages": [*HELLO["messages"], answered, *reversed(results)]}
    body = translate(sent, Ways()).body

    assert problems(MODELS[0], "generateContent", body) == []
    back = body["contents"][1]["parts"]
    if calls[0][3] is None:
        first = len(parts) - len(calls)
        assert back[first].pop("thoughtSignature") == PLACEHOLDER
    for one, (_, _, own, _) in zip(back[-len(calls) :], calls, strict=True):
        if own is None or [other[2] for other in calls].count(own) > 1:
            one["functionCall"].pop("id")
    for one, (_, _, own, _) in zip(parts[-len(calls) :], calls, strict=True):
        if own is not None and [other[2] for other in calls].count(own) > 1:
            one["functionCall"].pop("id")
    assert back == parts
    answers = [part["functionResponse"]["response"] for part in body["contents"][2]["parts"]]
    assert answers == [{"result": f"r{number}"} for number in range(len(calls))]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "text", "user"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "text", "url", "role", "content", "id", "name", "function"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FILES: list[Json] = [
    {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
    },
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
]


def spoiled(value: Any, draw: st.DataObject) -> Any:
    """Return a JSON value with any other one somewhere in its place."""
    if isinstance(value, dict | list) and value and draw.draw(st.integers(0, 5)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = draw.draw(st.sampled_from(keys))
        copy: Any = value.copy()
        copy[place] = spoiled(value[place], draw)
        return copy
    return draw.draw(json_values)


@given(conversations(), st.data())
@settings(max_examples=300)
def test_any_other_json_is_translated_or_names_its_field(
    messages: list[Json], data: st.DataObject
) -> None:
    shown: Json = {
        "role": "assistant",
        "content": [*FILES, {"type": "text", "text": "x"}],
        "images": FILES[:1],
        "extra_content": {"google": {"thought_signature": "c2ln"}},
        "audio": {"id": "a", "transcript": "x"},
    }
    whole = [*messages, {"role": "user", "name": "x", "content": FILES}, shown]

    field, found = "messages", list[str]()
    try:
        asked = translate({**HELLO, "messages": spoiled(whole, data)}, Ways())
        found = problems(asked.model, "generateContent", asked.body)
    except BadField as error:
        field = error.field

    assert field.startswith("messages")
    assert found == []
