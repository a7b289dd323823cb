"""Bodies that name nothing: the usual ones are known, and none with a name is among them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.wire.strings import Strings
from gemproxy.owners.naming import is_the_apis, names_of
from gemproxy.owners.plain import names_nothing

CHAT = {
    "contents": [
        {"role": "user", "parts": [{"text": "What is in files/a?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "I look.", "thought": True, "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "look_up", "args": {"fileUri": "files/a"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "look_up", "response": {"uri": "files/a"}}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            ],
        },
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "generationConfig": {
        "temperature": 1,
        "topP": 0.95,
        "maxOutputTokens": 100,
        "stopSequences": ["files/a"],
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "default": "files/a"},
        "thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "tools": [
        {"functionDeclarations": [{"name": "look_up", "description": "files/a", "parameters": {}}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look_up"]}},
}


def names_of_the_apis(document: Any) -> list[str]:
    """Return the names at the API's own places of a body, read string by string."""
    texts = Strings().feed(json.dumps(document).encode())
    return [name for text in texts if is_the_apis(text.names) for name in names_of(text.value)]


def test_the_usual_chat_names_nothing() -> None:
    assert names_nothing(json.dumps(CHAT).encode())
    assert names_of_the_apis(CHAT) == []


@pytest.mark.parametrize(
    "more",
    [
        {"cachedContent": "cachedContents/c"},
        {"model": "tunedModels/t"},
        {"continuationToken": "T"},
        {"someday": 1},
        {"contents": "files/a"},
        {"contents": [{"parts": [{"fileData": {"fileUri": "files/a"}}]}]},
        {"contents": [{"parts": [{"text": {"fileUri": "files/a"}}]}]},
        {"contents": [{"parts": ["files/a"]}]},
        {"contents": [{"role": "files/a", "parts": [{"text": "a"}]}]},
        {"contents": [{"parts": [{"functionCall": {"name": "files/a"}}]}]},
        {"contents": [{"parts": [{"inlineData": {"mimeType": "files/a", "data": ""}}]}]},
        {"generationConfig": {"responseMimeType": "files/a"}},
        {"generationConfig": {"speechConfig": {"voiceConfig": {"voiceName": "mine"}}}},
        {"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/s"]}}]},
        {"tools": [{"googleSearch": {"uri": "files/a"}}]},
        {"safetySettings": [{"category": "files/a", "threshold": ""}]},
    ],
)
def test_a_body_with_anything_else_is_read(more: dict[str, Any]) -> None:
    assert not names_nothing(json.dumps({**CHAT, **more}).encode())


@pytest.mark.parametrize("body", [b"", b"{", b'{"contents": [],}', b"\xef\xbb\xbf{}", b"[]"])
def test_what_is_no_json_is_left_to_those_who_refuse_it(body: bytes) -> None:
    assert not names_nothing(body)


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["files/a", "a", "https:x", 1, 0.5, True, None, [], {}, ["files/a"]]
)


@given(st.data())
def test_no_value_anywhere_makes_a_name_that_is_overlooked(data: st.DataObject) -> None:
    def replaced(value: Any) -> Any:
        if data.draw(st.integers(0, 12)) == 0:
            return data.draw(VALUES)
        if isinstance(value, dict):
            return {name: replaced(inner) for name, inner in value.items()}
        return [replaced(inner) for inner in value] if isinstance(value, list) else value

    document = {name: replaced(value) for name, value in CHAT.items()}

    if names_nothing(json.dumps(document).encode()):
        assert names_of_the_apis(document) == []
