"""Messages of a history, as contents that Gemini accepts."""

import json

import pytest

from gemproxy.openai.callid import carried
from gemproxy.openai.request import BLANK, GO_ON
from gemproxy.openai.signatures import PLACEHOLDER
from tests.openai.histories import (
    GEMMA,
    GO,
    MODELS,
    NEW,
    OLD,
    PICTURE,
    Json,
    call,
    calls,
    contents,
    native,
    refused,
    response,
    result,
    said,
    user,
)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_alone_is_said_once(model: str, role: str) -> None:
    body = native([{"role": role, "content": "Speak."}], model)

    assert body["contents"] == [said("user", "Speak.")]
    assert "systemInstruction" not in body


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_system_in_front_is_the_instruction(role: str) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = native([{"role": role, "content": parts}, GO])

    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"] == [said("user", "go")]


def test_a_later_system_message_stays_at_its_place() -> None:
    system = {"role": "system", "content": "Be brief."}
    body = native([GO, {"role": "assistant", "content": "yes"}, system, GO])

    assert "systemInstruction" not in body
    assert body["contents"] == [
        said("user", "go"),
        said("model", "yes"),
        said("user", "Be brief.", "go"),
    ]


@pytest.mark.parametrize("model", [GEMMA, "gemini-2.0-flash-exp-image-generation"])
def test_a_model_without_instructions_reads_them_in_the_first_turn(model: str) -> None:
    body = native([{"role": "system", "content": "S"}, GO], model)

    assert "systemInstruction" not in body
    assert body["contents"] == [said("user", "S", "go")]


def test_the_system_begins_where_the_user_does_not() -> None:
    messages = [{"role": "system", "content": "S"}, {"role": "assistant", "content": "Ahoy"}]

    assert contents(messages, GEMMA)[:2] == [said("user", "S"), said("model", "Ahoy")]


def test_beside_a_cache_the_system_is_text_of_the_user() -> None:
    cache = {"cached_content": "cachedContents/x"}
    body = native([{"role": "system", "content": "S"}, GO], google=cache)

    assert "systemInstruction" not in body
    assert body["contents"] == [said("user", "S", "go")]


@pytest.mark.parametrize("empty", ["", None, [], [{"type": "text", "text": ""}]])
def test_an_empty_assistant_is_left_out(empty: object) -> None:
    there = {"role": "user", "content": "there?"}

    found = contents([GO, {"role": "assistant", "content": empty}, there])

    assert found == [said("user", "go", "there?")]


@pytest.mark.parametrize("model", MODELS)
def test_neighbours_of_equal_role_keep_all_texts(model: str) -> None:
    roles = {"a": "user", "b": "user", "c": "assistant", "d": "assistant", "e": "user"}
    found = contents([{"role": role, "content": text} for text, role in roles.items()], model)

    assert [part["text"] for one in found for part in one["parts"]] == list("abcde")
    assert [one["role"] for one in found] == ["user", "model", "user"]


@pytest.mark.parametrize("model", MODELS)
def test_the_user_says_nothing_at_all(model: str) -> None:
    assert contents([{"role": "user", "content": ""}], model) == [said("user", BLANK)]


def test_the_user_begins() -> None:
    found = contents([{"role": "assistant", "content": "Ahoy"}, GO])

    assert found == [said("user", BLANK), said("model", "Ahoy"), said("user", "go")]


@pytest.mark.parametrize("model", MODELS)
def test_an_assistant_may_be_the_last(model: str) -> None:
    found = contents([GO, {"role": "assistant", "content": "Two "}], model)

    assert found[1]["parts"][0]["text"] == "Two "
    assert found[2:] in ([], [said("user", GO_ON)])


def test_thoughts_are_no_answer() -> None:
    thoughts = {"reasoning_content": "Let me weigh it.", "reasoning": "x", "thinking": "y"}
    message = {"role": "assistant", "content": "Two boats.", **thoughts}

    assert contents([GO, message, GO])[1] == said("model", "Two boats.")


def test_parts_of_thoughts_are_no_answer() -> None:
    parts = [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "Two boats."}]

    found = contents([GO, {"role": "assistant", "content": parts}, GO])

    assert found[1] == said("model", "Two boats.")


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "refusal": "No."},
        {"content": [{"type": "refusal", "refusal": "No."}]},
        {"content": None, "audio": {"id": "audio_1", "transcript": "No."}},
        {"content": "No.", "audio": {"id": "audio_1"}, "name": "bot"},
    ],
)
def test_a_refusal_is_what_the_model_said(message: Json) -> None:
    assert contents([GO, {"role": "assistant", **message}, GO])[1] == said("model", "No.")


def test_names_are_told_where_several_speak() -> None:
    messages: list[Json] = [
        {"role": "user", "name": "ann", "content": "hi"},
        {"role": "user", "name": "bo", "content": [{"type": "text", "text": "ho"}]},
        {"role": "user", "content": "hm"},
    ]

    assert contents(messages) == [said("user", "ann: hi", "bo: ho", "hm")]
    assert contents(messages[:1]) == [said("user", "hi")]


def test_the_signature_of_a_text_comes_back() -> None:
    extra = {"google": {"thought_signature": "c2ln"}}
    message = {"role": "assistant", "content": "Two", "extra_content": extra}

    signed = {"text": "Two", "thoughtSignature": "c2ln"}
    assert contents([GO, message, GO])[1] == said("model", signed)


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ({}, "messages"),
        (None, "messages"),
        ("hi", "messages"),
        (["hi"], "messages[0]"),
        ([{"content": "hi"}], "messages[0].role"),
        ([{"role": "robot", "content": "hi"}], "messages[0].role"),
        ([{"role": ["user"], "content": "hi"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": 7}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([GO, {"role": "user", "content": []}], "messages[1].content"),
        ([{"role": "system", "content": []}], "messages[0].content"),
        ([{"role": "system", "content": [PICTURE]}], "messages[0].content"),
        ([user({"type": "text"})], "messages[0].content[0].text"),
        ([user({"type": "text", "text": "a"}, {"type": "hologram"})],
         "messages[0].content[1].type"),
        ([user({"text": "a"})], "messages[0].content[0].type"),
        ([user({"type": ["text"], "text": "a"})], "messages[0].content[0].type"),
        ([GO, {"role": "assistant", "content": 7}], "messages[1].content"),
        ([GO, {"role": "assistant", "tool_calls": {}}], "messages[1].tool_calls"),
        ([GO, {"role": "assistant", "tool_calls": [1]}], "messages[1].tool_calls[0]"),
        ([GO, {"role": "assistant", "tool_calls": [{"id": "a"}]}],
         "messages[1].tool_calls[0].function"),
        ([GO, calls({"id": 7, "function": {"name": "f"}})], "messages[1].tool_calls[0].id"),
        ([GO, {"role": "tool", "tool_call_id": 7, "content": ""}], "messages[1].tool_call_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(messages: object, field: str) -> None:
    refused(messages, field)


def test_an_unknown_part_is_named() -> None:
    error = refused([user({"type": "hologram"})], "messages[0].content[0].type")

    assert "'hologram'" in error.message


def test_a_history_is_not_changed_by_its_translation() -> None:
    messages = [
        GO,
        calls(call("A"), extra_content={"google": {"thought_signature": "c2ln"}}),
        result("A", '{"a":1}'),
        user({"type": "text", "text": "a"}, PICTURE),
    ]
    before = json.dumps(messages)

    assert contents(messages) == contents(messages)
    assert json.dumps(messages) == before


@pytest.mark.parametrize("client", ["drops fields", "echoes fields", "echoes camels"])
def test_signatures_through_two_steps(client: str) -> None:
    def made(own: str, name: str, arguments: str, signature: str | None) -> Json:
        if client == "drops fields" or signature is None:
            return call(carried(own, signature), name, arguments)
        word = "thought_signature" if client == "echoes fields" else "thoughtSignature"
        extra = {"google": {word: signature}}
        return call(own, name, arguments, extra_content=extra)

    a = made("A", "tide", '{"port":"Brest"}', "UzE=")
    b = made("B", "wind", '{"port":"Brest"}', None)
    c = made("C", "book", "{}", "UzI=")
    messages = [
        {"role": "user", "content": "plan the dive"},
        calls(a, b),
        result(a["id"], "low"),
        result(b["id"], "calm"),
        calls(c),
        result(c["id"], "ok"),
    ]

    port = {"port": "Brest"}
    assert contents(messages) == [
        said("user", "plan the dive"),
        said(
            "model",
            {
                "functionCall": {"id": "A", "name": "tide", "args": port},
                "thoughtSignature": "UzE=",
            },
            {"functionCall": {"id": "B", "name": "wind", "args": port}},
        ),
        said("user", response("A", "tide", "low"), response("B", "wind", "calm")),
        said(
            "model",
            {
                "functionCall": {"id": "C", "name": "book", "args": {}},
                "thoughtSignature": "UzI=",
            },
        ),
        said("user", response("C", "book", "ok")),
    ]


@pytest.mark.parametrize(
    ("model", "signatures"),
    [(NEW, [PLACEHOLDER, None, PLACEHOLDER]), (OLD, [None, None, None])],
)
def test_a_foreign_history_has_the_placeholder_on_the_first_call_of_each_step(
    model: str, signatures: list[str | None]
) -> None:
    messages = [
        GO,
        calls(call("A"), call("B", "wind")),
        result("A", "low"),
        result("B", "calm"),
        calls(call("C")),
        result("C", "ok"),
    ]

    found = [part for one in contents(messages, model) for part in one["parts"]]
    made = [part for part in found if "functionCall" in part]
    assert [part.get("thoughtSignature") for part in made] == signatures


@pytest.mark.parametrize(
    "extra", ["x", {"google": []}, {"google": {"thought_signature": 7}},
              {"google": {"thought_signature": "no base64!"}}, {"other": {}}]
)  # fmt: skip
def test_a_spoiled_signature_is_none(extra: object) -> None:
    found = contents([GO, calls(call("A", extra_content=extra)), result("A", "low")])

    assert found[1]["parts"][0]["thoughtSignature"] == PLACEHOLDER


def test_the_echoed_signature_goes_before_that_of_the_id() -> None:
    extra = {"google": {"thought_signature": "UzI="}}
    made = call(carried("A", "UzE="), extra_content=extra)

    found = contents([GO, calls(made), result(made["id"], "low")])

    assert found[1]["parts"][0]["thoughtSignature"] == "UzI="


def test_a_text_stands_before_its_calls() -> None:
    found = contents([GO, calls(call("A"), content="I look."), result("A", "low")])

    assert found[1]["parts"][0] == {"text": "I look."}
    assert "functionCall" in found[1]["parts"][1]


def test_a_custom_call_has_its_input() -> None:
    custom = {"id": "A", "type": "custom", "custom": {"name": "shell", "input": "ls"}}

    found = contents([GO, calls(custom), result("A", "x")])

    made = found[1]["parts"][0]["functionCall"]
    assert made == {"id": "A", "name": "shell", "args": {"input": "ls"}}


def test_spoiled_arguments_keep_their_calls() -> None:
    spoiled = ['{"a":1}{"b":2}', "", "text", "[1]", '{"n":NaN}']
    made = [call(f"x{n}", arguments=text) for n, text in enumerate(spoiled)]
    messages = [GO, calls(*made), *(result(one["id"], "ok") for one in made), GO]

    found = contents(messages)

    args = [part["functionCall"]["args"] for part in found[1]["parts"]]
    assert args == [{"a": 1}, {}, {}, {"value": [1]}, {"n": "NaN"}]
    assert len(found[2]["parts"]) == len(spoiled)


def test_names_that_gemini_refuses_agree() -> None:
    tool = {"type": "function", "function": {"name": "1c reload", "parameters": None}}
    messages = [GO, calls(call("A", "1c reload"), call("B", "重启")),
                result("A", "one"), result("B", "two")]  # fmt: skip

    body = native(messages, tools=[tool])

    declared = body["tools"][0]["functionDeclarations"][0]["name"]
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == declared
