"""Messages of a history, as contents that Gemini accepts."""

import base64
import json
from typing import Any

import pytest

from gemproxy.core.errors import BadField
from gemproxy.openai.callid import carried
from gemproxy.openai.request import BLANK, GO_ON, Ways, translate
from gemproxy.openai.signatures import PLACEHOLDER
from tests.gatekeeper import problems

Json = dict[str, Any]

NEW, OLD, GEMMA, DRAWS = (
    "gemini-3.8-flash",
    "gemini-2.5-flash",
    "gemma-4-31b-it",
    "gemini-3-pro-image",
)
MODELS = (NEW, OLD, GEMMA, DRAWS, "gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "nobody-knows")
PNG = "iVBORw0KGgo="
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
INLINE = {"inlineData": {"mimeType": "image/png", "data": PNG}}


def native(messages: list[Json], model: str = NEW, ways: Ways | None = None, **more: Any) -> Json:
    """Return the native request for messages; Gemini accepts it."""
    asked = translate({"model": model, "messages": messages, **more}, ways or Ways())
    assert problems(model, "generateContent", asked.body) == []
    return asked.body


def contents(messages: list[Json], model: str = NEW, ways: Ways | None = None) -> list[Json]:
    found: list[Json] = native(messages, model, ways)["contents"]
    return found


def said(role: str, *parts: Json | str) -> Json:
    return {"role": role, "parts": [{"text": p} if isinstance(p, str) else p for p in parts]}


def user(*content: Json) -> Json:
    return {"role": "user", "content": list(content)}


def call(call_id: str | None, name: str = "tide", arguments: object = "{}", **more: Any) -> Json:
    inner = {"name": name, "arguments": arguments}
    named = {} if call_id is None else {"id": call_id}
    return {**named, "type": "function", "function": inner, **more}


def calls(*made: Json, **more: Any) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(made), **more}


def result(call_id: str, content: object) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def response(call_id: str | None, name: str, value: object, **more: Any) -> Json:
    given = {} if call_id is None else {"id": call_id}
    value = value if isinstance(value, dict) else {"result": value}
    return {"functionResponse": {**given, "name": name, "response": value, **more}}


def refused(messages: object, field: str, model: str = NEW) -> BadField:
    with pytest.raises(BadField) as caught:
        translate({"model": model, "messages": messages}, Ways())
    assert caught.value.field == field
    return caught.value


GO = {"role": "user", "content": "go"}


class TestTexts:
    """Roles, empty messages, and neighbours of the same role."""

    @pytest.mark.parametrize("model", MODELS)
    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_a_system_alone_is_said_once(self, model: str, role: str) -> None:
        body = native([{"role": role, "content": "Speak."}], model)

        assert body["contents"] == [said("user", "Speak.")]
        assert "systemInstruction" not in body

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_the_system_in_front_is_the_instruction(self, role: str) -> None:
        parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        body = native([{"role": role, "content": parts}, GO])

        assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
        assert body["contents"] == [said("user", "go")]

    def test_a_later_system_message_stays_at_its_place(self) -> None:
        system = {"role": "system", "content": "Be brief."}
        body = native([GO, {"role": "assistant", "content": "yes"}, system, GO])

        assert "systemInstruction" not in body
        assert body["contents"] == [
            said("user", "go"),
            said("model", "yes"),
            said("user", "Be brief.", "go"),
        ]

    @pytest.mark.parametrize("model", [GEMMA, "gemini-2.0-flash-exp-image-generation"])
    def test_a_model_without_instructions_reads_them_in_the_first_turn(self, model: str) -> None:
        body = native([{"role": "system", "content": "S"}, GO], model)

        assert "systemInstruction" not in body
        assert body["contents"] == [said("user", "S", "go")]

    def test_the_system_begins_where_the_user_does_not(self) -> None:
        messages = [{"role": "system", "content": "S"}, {"role": "assistant", "content": "Ahoy"}]

        assert contents(messages, GEMMA)[:2] == [said("user", "S"), said("model", "Ahoy")]

    def test_beside_a_cache_the_system_is_text_of_the_user(self) -> None:
        cache = {"google": {"cached_content": "cachedContents/x"}}
        body = native([{"role": "system", "content": "S"}, GO], **cache)

        assert "systemInstruction" not in body
        assert body["contents"] == [said("user", "S", "go")]

    @pytest.mark.parametrize("empty", ["", None, [], [{"type": "text", "text": ""}]])
    def test_an_empty_assistant_is_left_out(self, empty: object) -> None:
        there = {"role": "user", "content": "there?"}

        found = contents([GO, {"role": "assistant", "content": empty}, there])

        assert found == [said("user", "go", "there?")]

    @pytest.mark.parametrize("model", MODELS)
    def test_neighbours_of_equal_role_keep_all_texts(self, model: str) -> None:
        roles = {"a": "user", "b": "user", "c": "assistant", "d": "assistant", "e": "user"}
        found = contents([{"role": role, "content": text} for text, role in roles.items()], model)

        assert [part["text"] for one in found for part in one["parts"]] == list("abcde")
        assert [one["role"] for one in found] == ["user", "model", "user"]

    @pytest.mark.parametrize("model", MODELS)
    def test_the_user_says_nothing_at_all(self, model: str) -> None:
        assert contents([{"role": "user", "content": ""}], model) == [said("user", BLANK)]

    def test_the_user_begins(self) -> None:
        found = contents([{"role": "assistant", "content": "Ahoy"}, GO])

        assert found == [said("user", BLANK), said("model", "Ahoy"), said("user", "go")]

    @pytest.mark.parametrize("model", MODELS)
    def test_an_assistant_may_be_the_last(self, model: str) -> None:
        found = contents([GO, {"role": "assistant", "content": "Two "}], model)

        assert found[1]["parts"][0]["text"] == "Two "
        assert found[2:] in ([], [said("user", GO_ON)])

    def test_thoughts_are_no_answer(self) -> None:
        thoughts = {"reasoning_content": "Let me weigh it.", "reasoning": "x", "thinking": "y"}
        message = {"role": "assistant", "content": "Two boats.", **thoughts}

        assert contents([GO, message, GO])[1] == said("model", "Two boats.")

    def test_parts_of_thoughts_are_no_answer(self) -> None:
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
    def test_a_refusal_is_what_the_model_said(self, message: Json) -> None:
        assert contents([GO, {"role": "assistant", **message}, GO])[1] == said("model", "No.")

    def test_names_are_told_where_several_speak(self) -> None:
        messages = [
            {"role": "user", "name": "ann", "content": "hi"},
            {"role": "user", "name": "bo", "content": [{"type": "text", "text": "ho"}]},
            {"role": "user", "content": "hm"},
        ]

        assert contents(messages) == [said("user", "ann: hi", "bo: ho", "hm")]
        assert contents(messages[:1]) == [said("user", "hi")]

    def test_the_signature_of_a_text_comes_back(self) -> None:
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
            ([GO, calls(call(7))], "messages[1].tool_calls[0].id"),  # type: ignore[arg-type]
            ([GO, {"role": "tool", "tool_call_id": 7, "content": ""}], "messages[1].tool_call_id"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_named(self, messages: object, field: str) -> None:
        refused(messages, field)

    def test_an_unknown_part_is_named(self) -> None:
        error = refused([user({"type": "hologram"})], "messages[0].content[0].type")

        assert "'hologram'" in error.message


class TestCalls:
    """Calls with their signatures, and their results."""

    @pytest.mark.parametrize("client", ["drops fields", "echoes fields", "echoes camels"])
    def test_signatures_through_two_steps(self, client: str) -> None:
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
        self, model: str, signatures: list[str | None]
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
    def test_a_spoiled_signature_is_none(self, extra: object) -> None:
        found = contents([GO, calls(call("A", extra_content=extra)), result("A", "low")])

        assert found[1]["parts"][0]["thoughtSignature"] == PLACEHOLDER

    def test_the_echoed_signature_goes_before_that_of_the_id(self) -> None:
        extra = {"google": {"thought_signature": "UzI="}}
        made = call(carried("A", "UzE="), extra_content=extra)

        found = contents([GO, calls(made), result(made["id"], "low")])

        assert found[1]["parts"][0]["thoughtSignature"] == "UzI="

    def test_a_text_stands_before_its_calls(self) -> None:
        found = contents([GO, calls(call("A"), content="I look."), result("A", "low")])

        assert found[1]["parts"][0] == {"text": "I look."}
        assert "functionCall" in found[1]["parts"][1]

    def test_results_stand_in_call_order_and_a_remark_alone(self) -> None:
        messages = [
            GO,
            calls(call("x1", arguments='{"p":1}'), call("x2", arguments='{"p":2}'),
                  call("x3", "wind")),
            result("x3", "three"),
            result("x1", "one"),
            result("x2", "two"),
            {"role": "user", "content": "Use metres."},
        ]  # fmt: skip

        assert contents(messages)[2:] == [
            said(
                "user",
                response("x1", "tide", "one"),
                response("x2", "tide", "two"),
                response("x3", "wind", "three"),
            ),
            said("user", "Use metres."),
        ]

    @pytest.mark.parametrize("model", MODELS)
    @pytest.mark.parametrize("behind", [[], [GO], [{"role": "assistant", "content": "Hm"}]])
    def test_a_call_without_a_result_has_an_error(self, model: str, behind: list[Json]) -> None:
        found = contents([GO, calls(call("A"), call("B")), result("B", "low"), *behind], model)

        assert "error" in found[2]["parts"][0]["functionResponse"]["response"]
        assert found[2]["parts"][1] == response("B", "tide", "low")

    def test_calls_at_the_end_have_an_error(self) -> None:
        found = contents([GO, calls(call("A"), call("B"))])

        assert all("error" in p["functionResponse"]["response"] for p in found[2]["parts"])

    @pytest.mark.parametrize("model", MODELS)
    def test_a_result_without_a_call_is_told(self, model: str) -> None:
        found = contents([GO, result("gone", "low tide"), GO], model)

        assert found[0]["role"] == "user"
        assert [part["text"] for part in found[0]["parts"]] == [
            "go",
            "[Result of a tool]",
            "low tide",
            "go",
        ]

    def test_a_result_before_its_call_is_told(self) -> None:
        found = contents([GO, result("A", "early"), calls(call("A"))])

        assert {"text": "early"} in found[0]["parts"]
        assert "error" in found[2]["parts"][0]["functionResponse"]["response"]

    def test_a_second_result_stands_beside_the_first(self) -> None:
        found = contents([GO, calls(call("A")), result("A", "one"), result("A", '{"n":2}')])

        assert found[2] == said("user", response("A", "tide", ["one", {"n": 2}]))

    def test_results_that_a_user_parts_are_one_content(self) -> None:
        messages = [GO, calls(call("A"), call("B")), result("A", "one"), GO, result("B", "two")]

        assert contents(messages)[2:] == [
            said("user", response("A", "tide", "one"), response("B", "tide", "two")),
            said("user", "go"),
        ]

    @pytest.mark.parametrize("model", MODELS)
    def test_results_that_an_assistant_parts_are_one_content(self, model: str) -> None:
        messages = [
            GO,
            calls(call("A"), call("B")),
            result("A", "one"),
            {"role": "assistant", "content": "Wait."},
            result("B", "two"),
            calls(call("C"), content="More."),
            result("C", "three"),
        ]

        found = contents(messages, model)

        assert found[2] == said("user", response("A", "tide", "one"), response("B", "tide", "two"))
        assert [part.get("text") for part in found[3]["parts"]] == ["Wait.", "More.", None]

    def test_equal_ids_in_one_step_go_by_order(self) -> None:
        messages = [
            GO,
            calls(call("x", arguments='{"p":1}'), call("x", arguments='{"p":2}')),
            result("x", "one"),
            result("x", "two"),
        ]

        found = contents(messages)

        made = [part["functionCall"] for part in found[1]["parts"]]
        answers = [part["functionResponse"] for part in found[2]["parts"]]
        assert [one["response"]["result"] for one in answers] == ["one", "two"]
        assert [one["id"] for one in answers] == [one["id"] for one in made]
        assert len({one["id"] for one in made}) == 2

    def test_equal_ids_in_two_steps_go_by_the_latest(self) -> None:
        messages = [GO, calls(call("x")), result("x", "one"), calls(call("x")), result("x", "two")]

        assert contents(messages)[2::2] == [
            said("user", response("x", "tide", "one")),
            said("user", response("x", "tide", "two")),
        ]

    def test_calls_in_two_messages_are_one_step(self) -> None:
        messages = [GO, calls(call("A")), calls(call("B")), result("A", "one"), result("B", "two")]

        found = contents(messages)

        assert [len(one["parts"]) for one in found] == [1, 2, 2]
        assert "thoughtSignature" not in found[1]["parts"][1]

    def test_a_call_may_begin(self) -> None:
        found = contents([calls(call("A")), result("A", "low")])

        assert [one["role"] for one in found] == ["user", "model", "user"]

    def test_the_old_form_of_calls(self) -> None:
        messages = [
            GO,
            {"role": "assistant", "function_call": {"name": "tide", "arguments": '{"p":1}'}},
            {"role": "function", "name": "tide", "content": "low"},
            {"role": "function", "name": "wind", "content": "calm"},
        ]

        assert contents(messages)[1:] == [
            said(
                "model",
                {
                    "functionCall": {"name": "tide", "args": {"p": 1}},
                    "thoughtSignature": PLACEHOLDER,
                },
            ),
            said("user", response(None, "tide", "low")),
            said("user", "[Result of the tool wind]", "calm"),
        ]

    def test_a_custom_call_has_its_input(self) -> None:
        custom = {"id": "A", "type": "custom", "custom": {"name": "shell", "input": "ls"}}

        found = contents([GO, calls(custom), result("A", "x")])

        made = found[1]["parts"][0]["functionCall"]
        assert made == {"id": "A", "name": "shell", "args": {"input": "ls"}}

    def test_ids_and_names_may_be_missing(self) -> None:
        messages = [
            GO,
            calls({"function": {"arguments": "{}"}}, {"id": "", "function": {"name": "wind"}}),
            {"role": "tool", "content": "one"},
            {"role": "tool", "content": "two"},
        ]

        found = contents(messages)

        results = [p["functionResponse"]["response"]["result"] for p in found[2]["parts"]]
        assert results == ["one", "two"]

    def test_spoiled_arguments_keep_their_calls(self) -> None:
        spoiled = ['{"a":1}{"b":2}', "", "text", "[1]", '{"n":NaN}']
        made = [call(f"x{n}", arguments=text) for n, text in enumerate(spoiled)]
        messages = [GO, calls(*made), *(result(one["id"], "ok") for one in made), GO]

        found = contents(messages)

        args = [part["functionCall"]["args"] for part in found[1]["parts"]]
        assert args == [{"a": 1}, {}, {}, {"value": [1]}, {"n": "NaN"}]
        assert len(found[2]["parts"]) == len(spoiled)

    def test_names_that_gemini_refuses_agree(self) -> None:
        tool = {"type": "function", "function": {"name": "1c reload", "parameters": None}}
        messages = [GO, calls(call("A", "1c reload"), call("B", "重启")),
                    result("A", "one"), result("B", "two")]  # fmt: skip

        body = native(messages, tools=[tool])

        declared = body["tools"][0]["functionDeclarations"][0]["name"]
        assert body["contents"][1]["parts"][0]["functionCall"]["name"] == declared


class TestResponses:
    """What a result says."""

    @pytest.mark.parametrize(
        ("content", "value"),
        [
            ("low", {"result": "low"}),
            ("", {"result": ""}),
            (None, {"result": ""}),
            ([], {"result": ""}),
            ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {"result": "a\nb"}),
            ('{"level":1.5,"big":9007199254740993}', {"level": 1.5, "big": 9007199254740993}),
            ([{"type": "text", "text": '{"a":1}'}], {"a": 1}),
            ({"a": 1}, {"a": 1}),
            ("[1,2]", {"result": "[1,2]"}),
            ("null", {"result": "null"}),
            ('"text"', {"result": '"text"'}),
            ('{"a":1,"a":2}', {"result": '{"a":1,"a":2}'}),
            ('{"n":NaN}', {"result": '{"n":NaN}'}),
            ('{"n":1e999}', {"result": '{"n":1e999}'}),
            ('{"$ref":"#/x"}', {"result": '{"$ref":"#/x"}'}),
            ('{"a":[{"$ref":"x"}]}', {"result": '{"a":[{"$ref":"x"}]}'}),
            ('{"$ref":{"a":1}}', {"$ref": {"a": 1}}),
            ({"a": {"$ref": "x"}}, {"result": '{"a": {"$ref": "x"}}'}),
            ('{"a":1} tail', {"result": '{"a":1} tail'}),
        ],
    )
    def test_an_object_goes_as_it_is_and_text_as_a_result(
        self, content: object, value: Json
    ) -> None:
        found = contents([GO, calls(call("A")), result("A", content)])

        assert found[2] == said("user", response("A", "tide", value))

    def test_a_deep_object_goes_as_text(self) -> None:
        deep = '{"a":' + "[" * 90 + "]" * 90 + "}"

        found = contents([GO, calls(call("A")), result("A", deep)])

        assert found[2] == said("user", response("A", "tide", deep))

    def test_a_picture_is_within_the_result_where_the_model_takes_it(self) -> None:
        content = [{"type": "text", "text": "chart"}, PICTURE]

        found = contents([GO, calls(call("A"), call("B")), result("A", content),
                          result("B", [PICTURE])])  # fmt: skip

        assert found[2] == said(
            "user",
            response("A", "tide", "chart", parts=[INLINE]),
            response("B", "tide", "", parts=[INLINE]),
        )

    def test_a_picture_is_beside_the_result_before_gemini_3(self) -> None:
        content = [{"type": "text", "text": "chart"}, PICTURE]

        found = contents([GO, calls(call("A"), call("B")), result("A", content),
                          result("B", [PICTURE])], OLD)  # fmt: skip

        assert found[2] == said(
            "user", response("A", "tide", "chart"), INLINE, response("B", "tide", ""), INLINE
        )

    def test_sound_in_a_result_is_shown_behind_it(self) -> None:
        audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
        inline = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}

        found = contents([GO, calls(call("A")), result("A", [audio]), GO])

        assert found[2:] == [
            said("user", response("A", "tide", "")),
            said("user", inline, "go"),
        ]

    @pytest.mark.parametrize(
        "text", [f"data:image/png;base64,{PNG}", f"![plot](data:image/png;base64,{PNG})"]
    )
    def test_base64_of_a_picture_is_no_text(self, text: str) -> None:
        found = contents([GO, calls(call("A")), result("A", text)])

        assert found[2] == said("user", response("A", "tide", "", parts=[INLINE]))

    @pytest.mark.parametrize(
        "url", ["https://example.com/a.png", "data:image/png;base64,*", "data:image/png,raw"]
    )
    def test_a_picture_that_cannot_be_shown_is_a_remark(self, url: str) -> None:
        content = [{"type": "image_url", "image_url": {"url": url}}]

        found = contents([GO, calls(call("A")), result("A", content)])

        told = found[2]["parts"][0]["functionResponse"]["response"]["result"]
        assert "cannot be shown" in told
        assert "data:" not in told


class TestPictures:
    """Files in messages, the user's and the model's."""

    @pytest.mark.parametrize(
        "part",
        [
            PICTURE,
            {"type": "image_url", "image_url": PICTURE["image_url"]["url"]},  # type: ignore[index]
            {"type": "input_image", "image_url": PICTURE["image_url"]["url"]},  # type: ignore[index]
            {"type": "image_url", "image_url": {"url": PNG}},
        ],
    )
    def test_a_picture_of_the_users(self, part: Json) -> None:
        text = {"type": "text", "text": "What?"}

        assert contents([user(text, part)]) == [said("user", "What?", INLINE)]

    @pytest.mark.parametrize(
        ("part", "mime"),
        [
            ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
             "audio/mp3"),
            ({"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,AAAA"}},
             "audio/wav"),
            ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
             "application/pdf"),
            ({"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
             "application/pdf"),
            ({"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"}, "application/pdf"),
            ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
             "video/mp4"),
            ({"type": "image_url", "image_url": {"url": "data:application/pdf;base64,AAAA"}},
             "application/pdf"),
        ],
    )  # fmt: skip
    def test_other_files_of_the_users(self, part: Json, mime: str) -> None:
        inline = {"inlineData": {"mimeType": mime, "data": "AAAA"}}

        assert contents([user(part)]) == [said("user", inline)]

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "file", "file": {"file_id": "files/abc"}},
            {"type": "input_file", "file_id": "files/abc"},
            {"type": "input_image", "file_id": "files/abc"},
        ],
    )
    def test_a_file_of_geminis_own_is_pointed_to(self, part: Json) -> None:
        uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"

        assert contents([user(part)]) == [said("user", {"fileData": {"fileUri": uri}})]

    @pytest.mark.parametrize(
        ("part", "field"),
        [
            ({"type": "image_url"}, "image_url"),
            ({"type": "image_url", "image_url": {}}, "image_url.url"),
            ({"type": "image_url", "image_url": {"url": ""}}, "image_url"),
            ({"type": "image_url", "image_url": {"url": "data:image/png,raw"}}, "image_url"),
            ({"type": "image_url", "image_url": {"url": "https://example.com/a"}}, "image_url"),
            ({"type": "input_audio", "input_audio": {"data": "*", "format": "wav"}},
             "input_audio"),
            ({"type": "file", "file": {"file_id": "file-abc"}}, "file.file_id"),
            ({"type": "file", "file": {"file_data": "data:a/b,x"}}, "file.file_data"),
            ({"type": "file"}, "file"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_sent_is_named(self, part: Json, field: str) -> None:
        refused([user({"type": "text", "text": "a"}, part)], f"messages[0].content[1].{field}")

    def test_a_picture_by_url_names_the_setting(self) -> None:
        part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

        error = refused([user(part)], "messages[0].content[0].image_url")

        assert "openai.fetch_images" in error.message
        assert "example.com" not in error.message

    @pytest.mark.parametrize(
        "message",
        [
            {"content": "Here.", "images": [PICTURE]},
            {"content": f"Here.![p](data:image/png;base64,{PNG})"},
            {"content": f"Here.![p](data:image/png;base64,{PNG})", "images": [PICTURE]},
            {"content": [{"type": "text", "text": "Here."}, PICTURE]},
        ],
    )
    @pytest.mark.parametrize("model", [DRAWS, NEW])
    def test_pictures_of_the_models_own(self, model: str, message: Json) -> None:
        messages = [GO, {"role": "assistant", **message}, {"role": "user", "content": "bluer"}]
        known = Ways(signatures=lambda data: "c2ln" if data == base64.b64decode(PNG) else None)

        signed = contents(messages, model, known)
        shown = contents(messages, model)

        assert signed[1]["parts"][1:] == [{**INLINE, "thoughtSignature": "c2ln"}]
        assert signed[2] == said("user", "bluer")
        assert signed[1]["parts"][0]["text"] == shown[1]["parts"][0]["text"] == "Here."
        assert shown[1:][1] == said("user", INLINE, "bluer")

    def test_models_that_draw_get_neither_tools_nor_thinking(self) -> None:
        tool = {"type": "function", "function": {"name": "tide"}}
        body = native([GO], DRAWS, tools=[tool], reasoning_effort="high")

        assert body.keys() == {"contents", "generationConfig"}
        assert body["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}


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
