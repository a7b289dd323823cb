"""Every parameter of a chat request, and the table of them."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params

from gemproxy.core.errors import BadField
from gemproxy.openai.parameters import FIELDS, GOOGLE_FIELDS, Fate, Manner, config, manner
from gemproxy.shaping.family import family_of
from tests.gatekeeper import problems

OLD, NEW = "gemini-2.0-flash", "gemini-3.8-flash"
HELLO = [{"role": "user", "parts": [{"text": "hi"}]}]


def sent(document: dict[str, Any], model: str = NEW) -> dict[str, Any]:
    native = config(document, family_of(model))
    assert problems(model, "generateContent", {"contents": HELLO, **native}) == []
    return native


def refused(document: dict[str, Any], model: str = NEW) -> str:
    with pytest.raises(BadField) as caught:
        sent(document, model)
    return caught.value.field


def test_all_at_once() -> None:
    document = {
        "frequency_penalty": 0.2,
        "presence_penalty": 0,
        "logit_bias": {"50256": -100},
        "user": "u",
        "metadata": {},
        "store": True,
        "service_tier": "auto",
        "prediction": {"type": "content", "content": "x"},
        "web_search_options": {},
        "top_k": 40,
        "seed": 7,
        "verbosity": "low",
        "foo": 1,
    }
    assert sent(document) == {"generationConfig": {"topK": 40, "seed": 7}}
    assert sent(document, OLD)["generationConfig"] == {
        "topK": 40,
        "seed": 7,
        "frequencyPenalty": 0.2,
        "presencePenalty": 0,
    }


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({}, {}),
        ({"temperature": None, "seed": None, "stop": None, "audio": None}, {}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 2, "top_p": 0.5}, {"temperature": 2, "topP": 0.5}),
        ({"top_k": 40.0}, {"topK": 40}),
        ({"top_k": 0}, {}),
        ({"top_k": -1}, {}),
        ({"max_tokens": 50}, {"maxOutputTokens": 50}),
        ({"max_completion_tokens": 9, "max_tokens": 50}, {"maxOutputTokens": 9}),
        ({"max_completion_tokens": None, "max_tokens": 50}, {"maxOutputTokens": 50}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"stop": ["a", "", "b", "a"]}, {"stopSequences": ["a", "b"]}),
        ({"stop": ["a", "b", "c", "d", "e", "e", ""]}, {"stopSequences": list("abcde")}),
        ({"stop": ""}, {}),
        ({"stop": []}, {}),
        ({"seed": -(2**31)}, {"seed": -(2**31)}),
        ({"seed": 2**31 - 1}, {"seed": 2**31 - 1}),
        ({"seed": 2**31}, {"seed": -(2**31)}),
        ({"seed": 2**63 + 5}, {"seed": 5}),
        ({"logprobs": False, "top_logprobs": 0}, {}),
        ({"modalities": ["text"]}, {}),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
    ],
)
def test_a_parameter_becomes_a_native_one(document: Any, fields: Any) -> None:
    assert sent(document) == {"generationConfig": fields}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": 2**31}, "top_k"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"presence_penalty": "x"}, "presence_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 2**31}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"stop": list("abcdef")}, "stop"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", 7]}, "stop[1]"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"logprobs": 1}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"modalities": "text"}, "modalities"),
        ({"modalities": [7]}, "modalities[0]"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"service_tier": "best"}, "service_tier"),
        ({"service_tier": 1}, "service_tier"),
        ({"extra_body": []}, "extra_body"),
        ({"google": 7}, "google"),
        ({"extra_body": {"google": 7}}, "extra_body.google"),
    ],
)
def test_a_wrong_value_is_named(document: Any, field: str) -> None:
    assert refused(document) == field


def test_more_than_five_stop_words_are_refused_in_words() -> None:
    with pytest.raises(BadField, match="'stop' has 6 sequences; Gemini takes 5 at most"):
        sent({"stop": list("abcdef")})


def test_logprobs_go_to_families_that_have_them() -> None:
    document = {"logprobs": True, "top_logprobs": 3}
    assert sent(document) == {"generationConfig": {}}
    fields = {"responseLogprobs": True, "logprobs": 3}
    assert sent(document, OLD) == {"generationConfig": fields}
    assert sent({"top_logprobs": 3}, OLD) == {"generationConfig": {}}
    assert manner(document).logprobs


@pytest.mark.parametrize(
    ("tier", "native"),
    [
        ("auto", None),
        ("scale", None),
        ("default", "standard"),
        ("flex", "flex"),
        ("priority", "priority"),
    ],
)
def test_tiers(tier: str, native: str | None) -> None:
    assert sent({"service_tier": tier}).get("serviceTier") == native


@pytest.mark.parametrize(
    "place",
    [
        lambda fields: {"google": fields},
        lambda fields: {"extra_body": fields},
        lambda fields: {"extra_body": {"google": fields}},
        lambda fields: {"extra_body": {"extra_body": fields}},
        lambda fields: {"extra_body": {"extra_body": {"google": fields}}},
        lambda fields: fields,
    ],
)
def test_fields_of_googles_are_found_wherever_they_are(place: Any) -> None:
    setting = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
    fields = {
        "cached_content": "cachedContents/1",
        "safety_settings": [{**setting, "method": "SEVERITY"}],
        "response_modalities": ["Text", "IMAGE"],
        "image_config": {"aspect_ratio": "3:2", "imageSize": "2K", "foo": 1},
        "foo": 1,
    }
    native = {
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "3:2", "imageSize": "2K"},
        },
        "cachedContent": "cachedContents/1",
        "safetySettings": [setting],
    }
    assert sent(place(fields)) == native
    camel = {
        "cachedContent": fields["cached_content"],
        "safetySettings": fields["safety_settings"],
        "responseModalities": fields["response_modalities"],
        "imageConfig": fields["image_config"],
    }
    assert sent(place(camel)) == native


def test_the_outermost_of_googles_fields_wins() -> None:
    inner = {"cached_content": "cachedContents/2", "image_config": {"image_size": "1K"}}
    document = {"cached_content": "cachedContents/1", "extra_body": {"google": inner}}
    assert sent(document) == {
        "generationConfig": {"imageConfig": {"imageSize": "1K"}},
        "cachedContent": "cachedContents/1",
    }


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"cached_content": 7}, "google.cached_content"),
        ({"safety_settings": {}}, "google.safety_settings"),
        ({"safetySettings": [{}]}, "google.safetySettings[0].category"),
        ({"image_config": {"aspectRatio": 1}}, "google.image_config.aspectRatio"),
        ({"image_config": []}, "google.image_config"),
    ],
)
def test_a_wrong_field_of_googles_is_named(fields: Any, at: str) -> None:
    assert refused({"google": fields}) == at


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Manner()),
        ({"stream": None, "n": None, "stream_options": None}, Manner()),
        ({"stream": True, "stream_options": {"include_usage": True}}, Manner(True, 1, True)),
        ({"stream_options": {"include_obfuscation": False}}, Manner()),
        ({"n": 8}, Manner(n=8)),
        ({"parallel_tool_calls": False}, Manner(single_call=True)),
        ({"parallel_tool_calls": True}, Manner()),
        ({"functions": [{"name": "f"}]}, Manner(legacy=True)),
        ({"functions": [], "tools": [{}]}, Manner()),
    ],
)
def test_manners(document: Any, expected: Manner) -> None:
    assert manner(document) == expected


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"parallel_tool_calls": 0}, "parallel_tool_calls"),
    ],
)
def test_a_wrong_manner_is_named(document: Any, field: str) -> None:
    with pytest.raises(BadField) as caught:
        manner(document)
    assert caught.value.field == field


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(["google", "extra_body", "category"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = [field.name for field in (*FIELDS, *GOOGLE_FIELDS)]


@given(
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4),
    st.sampled_from([OLD, "gemini-2.5-pro", NEW]),
)
def test_any_value_is_accepted_or_named(document: dict[str, Any], model: str) -> None:
    for translate in (sent, lambda given, _: manner(given)):
        with contextlib.suppress(BadField):
            translate(document, model)


def test_the_table_has_every_field_of_openais() -> None:
    base = completion_create_params.CompletionCreateParamsBase.__annotations__
    assert {*base, "stream"} <= {field.name for field in FIELDS}


def test_ignored_fields_have_no_reader_and_all_have_a_reason() -> None:
    for field in FIELDS:
        assert field.why
        assert field.zh
        assert field.read is None or field.fate is not Fate.IGNORED
