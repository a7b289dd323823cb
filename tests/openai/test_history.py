"""Calls and their results, wherever these stand."""

from collections.abc import Sequence

import pytest

from gemproxy.openai.signatures import PLACEHOLDER
from tests.openai.histories import (
    DRAWS,
    GO,
    INLINE,
    MODELS,
    PICTURE,
    Json,
    call,
    calls,
    contents,
    response,
    result,
    said,
)

CALLING = [model for model in MODELS if model != DRAWS]


def test_results_stand_in_call_order_and_a_remark_alone() -> None:
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


@pytest.mark.parametrize("model", CALLING)
@pytest.mark.parametrize("behind", [[], [GO], [{"role": "assistant", "content": "Hm"}]])
def test_a_call_without_a_result_has_an_error(model: str, behind: list[Json]) -> None:
    found = contents([GO, calls(call("A"), call("B")), result("B", "low"), *behind], model)

    assert "error" in found[2]["parts"][0]["functionResponse"]["response"]
    assert found[2]["parts"][1] == response("B", "tide", "low")


def test_calls_at_the_end_have_an_error() -> None:
    found = contents([GO, calls(call("A"), call("B"))])

    assert all("error" in p["functionResponse"]["response"] for p in found[2]["parts"])


@pytest.mark.parametrize("model", MODELS)
def test_a_result_without_a_call_is_told(model: str) -> None:
    found = contents([GO, result("gone", "low tide"), GO], model)

    assert found[0]["role"] == "user"
    assert [part["text"] for part in found[0]["parts"]] == [
        "go",
        "[Result of a tool]",
        "low tide",
        "go",
    ]


def test_a_result_before_its_call_is_told() -> None:
    found = contents([GO, result("A", "early"), calls(call("A"))])

    assert {"text": "early"} in found[0]["parts"]
    assert "error" in found[2]["parts"][0]["functionResponse"]["response"]


def test_a_second_result_stands_beside_the_first() -> None:
    found = contents([GO, calls(call("A")), result("A", "one"), result("A", '{"n":2}')])

    assert found[2] == said("user", response("A", "tide", ["one", {"n": 2}]))


def test_results_that_a_user_parts_are_one_content() -> None:
    messages = [GO, calls(call("A"), call("B")), result("A", "one"), GO, result("B", "two")]

    assert contents(messages)[2:] == [
        said("user", response("A", "tide", "one"), response("B", "tide", "two")),
        said("user", "go"),
    ]


@pytest.mark.parametrize("model", CALLING)
def test_results_that_an_assistant_parts_are_one_content(model: str) -> None:
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


@pytest.mark.parametrize("ids", ["xx", "xxxx", ["x", "x", "x-2"], ["x-2", "x", "x"]])
def test_equal_ids_in_one_step_go_by_order(ids: Sequence[str]) -> None:
    made = [call(own, arguments=f'{{"p":{number}}}') for number, own in enumerate(ids)]
    results = [result(own, f"r{number}") for number, own in enumerate(ids)]

    found = contents([GO, calls(*made), *results])

    sent = [part["functionCall"] for part in found[1]["parts"]]
    answers = [part["functionResponse"] for part in found[2]["parts"]]
    assert [one["response"]["result"] for one in answers] == [f"r{n}" for n in range(len(ids))]
    assert [one["id"] for one in answers] == [one["id"] for one in sent]
    assert len({one["id"] for one in sent}) == len(ids)


def test_equal_ids_in_two_steps_go_by_the_latest() -> None:
    messages = [GO, calls(call("x")), result("x", "one"), calls(call("x")), result("x", "two")]

    assert contents(messages)[2::2] == [
        said("user", response("x", "tide", "one")),
        said("user", response("x", "tide", "two")),
    ]


def test_calls_in_two_messages_are_one_step() -> None:
    messages = [GO, calls(call("A")), calls(call("B")), result("A", "one"), result("B", "two")]

    found = contents(messages)

    assert [len(one["parts"]) for one in found] == [1, 2, 2]
    assert "thoughtSignature" not in found[1]["parts"][1]


def test_a_call_may_begin() -> None:
    found = contents([calls(call("A")), result("A", "low")])

    assert [one["role"] for one in found] == ["user", "model", "user"]


def test_the_old_form_of_calls() -> None:
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


def test_ids_and_names_may_be_missing() -> None:
    messages = [
        GO,
        calls({"function": {"arguments": "{}"}}, {"id": "", "function": {"name": "wind"}}),
        {"role": "tool", "content": "one"},
        {"role": "tool", "content": "two"},
    ]

    found = contents(messages)

    results = [p["functionResponse"]["response"]["result"] for p in found[2]["parts"]]
    assert results == ["one", "two"]


def test_a_model_without_tools_reads_of_calls_and_results() -> None:
    messages = [
        GO,
        calls(call("A", arguments='{"p":1}'), call("B"), content="I look."),
        result("A", [{"type": "text", "text": "low"}, PICTURE]),
        GO,
    ]

    found = contents(messages, DRAWS)

    assert [part["text"] for part in found[1]["parts"]] == [
        "I look.",
        '[Called the tool tide: {"p": 1}]',
        "[Called the tool tide: {}]",
    ]
    assert found[2:] == [said("user", "[Result of the tool tide]", "low", INLINE, "go")]
