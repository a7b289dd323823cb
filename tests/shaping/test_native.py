"""The operator's additions to native bodies."""

import json
from typing import Any

import pytest

from gemproxy.shaping.family import Family, family_of
from gemproxy.shaping.injection import Injection
from gemproxy.shaping.native import added
from gemproxy.shaping.thinking import Thinking

PRO = family_of("gemini-2.5-pro")
BUDGET = Thinking(budget=1024, include_thoughts=True)
CONFIG = {"thinkingBudget": 1024, "includeThoughts": True}
PROMPT = Injection("Be brief.")
CONTENTS = [{"parts": [{"text": "hi"}]}]


def raw(document: Any) -> bytes:
    return json.dumps(document, indent=1).encode()


@pytest.mark.parametrize(
    ("config", "made"),
    [
        ({}, {"generationConfig": {"thinkingConfig": CONFIG}}),
        ({"generationConfig": None}, {"generationConfig": {"thinkingConfig": CONFIG}}),
        (
            {"generationConfig": {"seed": 7}},
            {"generationConfig": {"seed": 7, "thinkingConfig": CONFIG}},
        ),
        (
            {"generation_config": {"seed": 7, "thinking_config": None}},
            {"generation_config": {"seed": 7, "thinkingConfig": CONFIG}},
        ),
    ],
)
def test_a_request_that_says_nothing_gets_the_default(config: Any, made: Any) -> None:
    got = added(raw({"contents": CONTENTS, **config}), PRO, BUDGET, None)

    assert json.loads(got.body) == {"contents": CONTENTS, **made}
    assert not got.injected


@pytest.mark.parametrize(
    "document",
    [
        {"generationConfig": {"thinkingConfig": {}}},
        {"generationConfig": {"thinkingConfig": {"includeThoughts": False}}},
        {"generation_config": {"thinking_config": {"thinking_budget": 0}}},
        {"generationConfig": {}, "generation_config": {"thinkingConfig": {}}},
        {"generationConfig": "odd"},
        {"generationConfig": {"thinkingConfig": 3}},
        [],
        "text",
    ],
)
def test_a_request_that_says_something_or_is_odd_keeps_its_bytes(document: Any) -> None:
    body = raw(document)

    assert added(body, PRO, BUDGET, None).body is body


@pytest.mark.parametrize("body", [b"", b"{", b"\xff{}", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_json_keeps_its_bytes(body: bytes) -> None:
    got = added(body, PRO, BUDGET, PROMPT)

    assert got.body is body
    assert not got.injected


@pytest.mark.parametrize("depth", range(960, 1010))
def test_what_is_nested_too_deeply_to_be_written_keeps_its_bytes(depth: int) -> None:
    body = b'{"contents": [], "x": %s1%s}' % (b"[" * depth, b"]" * depth)

    got = added(body, PRO, BUDGET, PROMPT)

    assert got.injected or got.body is body


@pytest.mark.parametrize(
    ("family", "thinking"),
    [
        (family_of("gemini-2.5-flash-image"), BUDGET),
        (family_of("mine", ("mine",)), BUDGET),
        (family_of("gemini-2.0-flash"), BUDGET),
        (PRO, Thinking()),
    ],
)
def test_nothing_to_add_keeps_the_bytes(family: Family, thinking: Thinking) -> None:
    body = raw({"contents": CONTENTS})

    assert added(body, family, thinking, None).body is body


def test_both_are_added_and_the_rest_stays() -> None:
    numbers = {"big": 9007199254740993, "float": 0.1, "text": "\u2028\ud83eé"}
    got = added(raw({"contents": CONTENTS, "labels": numbers}), PRO, BUDGET, PROMPT)

    assert got.injected
    assert json.loads(got.body) == {
        "contents": CONTENTS,
        "labels": numbers,
        "generationConfig": {"thinkingConfig": CONFIG},
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
    }


def test_a_second_system_instruction_does_not_hide_the_prompt() -> None:
    body = b'{"systemInstruction": {}, "contents": [], "systemInstruction": {"parts": []}}'

    got = added(body, PRO, Thinking(), PROMPT)

    assert got.body.count(b"systemInstruction") == 1
    assert b"Be brief." in got.body


def test_a_prompt_that_has_no_place_adds_the_default_alone() -> None:
    got = added(raw({"contents": 3, "systemInstruction": 4}), PRO, BUDGET, PROMPT)

    assert not got.injected
    assert json.loads(got.body)["generationConfig"] == {"thinkingConfig": CONFIG}
