"""Where the operator's prompt goes in a native request."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.shaping.family import family_of
from gemproxy.shaping.injection import Injection, Position, inject

PROMPT = "Be brief."
PART = {"text": PROMPT}
FLASH = family_of("gemini-3.5-flash")
CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}


def user(*parts: str | dict[str, Any]) -> dict[str, Any]:
    made = [part if isinstance(part, dict) else {"text": part} for part in parts]
    return {"role": "user", "parts": made}


def injected(body: dict[str, Any], position: Position, model: str = "gemini-3.5-flash") -> Any:
    before = copy.deepcopy(body)
    made = inject(body, Injection(PROMPT, position), family_of(model))
    assert body == before, "the request itself stays as it is"
    return made


def test_system_goes_before_the_clients_own() -> None:
    body = {"contents": [user("hi")], "systemInstruction": {"role": "x", "parts": [{"text": "b"}]}}

    assert injected({"contents": []}, "system")["systemInstruction"] == {"parts": [PART]}
    made = injected(body, "system")
    assert made["systemInstruction"] == {"role": "x", "parts": [PART, {"text": "b"}]}
    assert made["contents"] == body["contents"]


def test_the_spelling_of_a_native_request_is_kept() -> None:
    made = injected({"system_instruction": {"parts": {"text": "b"}}}, "system")

    assert made == {"system_instruction": {"parts": [PART, {"text": "b"}]}}


@pytest.mark.parametrize("name", ["cachedContent", "cached_content"])
def test_system_beside_a_cache_becomes_user_prefix(name: str) -> None:
    made = injected({"contents": [user("hi")], name: "cachedContents/c"}, "system")

    assert made == {"contents": [user(PROMPT, "hi")], name: "cachedContents/c"}


def test_system_on_a_model_without_one_becomes_user_prefix() -> None:
    made = injected({"contents": [user("hi")]}, "system", "gemma-4-31b-it")

    assert made == {"contents": [user(PROMPT, "hi")]}


@pytest.mark.parametrize(
    ("contents", "prefixed", "suffixed"),
    [
        ([user("a")], [user(PROMPT, "a")], [user("a", PROMPT)]),
        (
            [user("a"), CALL, RESULT],
            [user(PROMPT, "a"), CALL, RESULT],
            [user("a", PROMPT), CALL, RESULT],
        ),
        (
            [user("a"), {"role": "model", "parts": [{"text": "b"}]}, user(PICTURE, "c", PICTURE)],
            [
                user("a"),
                {"role": "model", "parts": [{"text": "b"}]},
                user(PICTURE, PROMPT, "c", PICTURE),
            ],
            [
                user("a"),
                {"role": "model", "parts": [{"text": "b"}]},
                user(PICTURE, "c", PROMPT, PICTURE),
            ],
        ),
        ([user(PICTURE)], [user(PROMPT, PICTURE)], [user(PICTURE, PROMPT)]),
        ([{"parts": {"text": "a"}}], [{"parts": [PART, {"text": "a"}]}], None),
        ({"parts": [{"text": "a"}]}, [{"parts": [PART, {"text": "a"}]}], None),
    ],
)
def test_around_the_last_text_of_the_user(contents: Any, prefixed: Any, suffixed: Any) -> None:
    body = {"contents": contents}

    assert injected(body, "user_prefix") == {"contents": prefixed}
    if suffixed is not None:
        assert injected(body, "user_suffix") == {"contents": suffixed}


def test_without_a_user_turn_it_goes_into_the_system_instruction() -> None:
    made = injected({"contents": [CALL, RESULT]}, "user_suffix")

    assert made == {"contents": [CALL, RESULT], "systemInstruction": {"parts": [PART]}}


@pytest.mark.parametrize(
    "body",
    [
        {"contents": "hi", "systemInstruction": "b"},
        {"contents": [3, None, {"role": 4}, {"parts": 5}], "system_instruction": {"parts": 6}},
    ],
)
@pytest.mark.parametrize("position", ["system", "user_prefix", "user_suffix"])
def test_a_request_of_another_form_stays_as_it_is(body: Any, position: Position) -> None:
    assert injected(body, position) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["contents", "parts", "role", "text", "systemInstruction"]), inner
        )
    ),
    max_leaves=12,
)
POSITIONS: tuple[Position, ...] = ("system", "user_prefix", "user_suffix")


@given(
    st.dictionaries(st.sampled_from(["contents", "systemInstruction"]), json_values),
    st.sampled_from(POSITIONS),
)
def test_any_request_has_the_prompt_once_or_stays(body: dict[str, Any], position: Position) -> None:
    made = injected(body, position)

    assert made is None or str(made).count(PROMPT) == 1


def test_the_prompt_is_in_no_repr() -> None:
    assert PROMPT not in repr(Injection(PROMPT))
