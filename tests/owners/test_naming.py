"""The names in a request: in any place of the API's own, in any spelling; and nowhere else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import BadRequest, Encoded
from gemproxy.owners.naming import (
    HANDLES,
    TOKENS,
    Names,
    check_form,
    hashed,
    names_in_body,
    names_in_path,
    names_in_query,
)

GOOGLE = "https://generativelanguage.googleapis.com"
HOSTS = frozenset({"proxy.example:8000", "127.0.0.1:9"})

NAMES = [
    "files/abc-123",
    "generatedFiles/g",
    "cachedContents/c",
    "batches/b",
    "operations/o",
    "models/veo-3/operations/o",
    "tunedModels/t",
    "fileSearchStores/s",
    "corpora/c",
    "interactions/v1_x",
    "agents/a",
    "environments/e",
    "triggers/t",
    "voices/v",
    "webhooks/w",
    "credentials/c",
    "auth_tokens/t",
]


def named(document: Any) -> Names:
    return names_in_body(json.dumps(document).encode(), HOSTS)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1beta/files/abc", ("files/abc",)),
        ("/v1beta/%66iles%2Fabc", ("files/abc",)),
        ("/v1beta/files%252Fabc", ("files/abc",)),
        ("/v1beta/openai/files/files%2Fabc/content", ("files/files%2Fabc", "files/abc")),
        ("/v1beta/models/m:generateContent", ()),
    ],
)
def test_a_path_is_read_however_often_it_is_encoded(path: str, names: tuple[str, ...]) -> None:
    assert names_in_path(path) == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("alt=sse", ()),
        ("name=files/abc", ("files/abc",)),
        ("a=b&file%5Fname=files%2Fabc", ("files/abc",)),
        ("filter=name%3D%22files%2Fabc%22+OR+x=files/d", ("files/abc", "files/d")),
        (f"uri={GOOGLE}/v1/files/abc:download?alt=media", ("files/abc",)),
        ("parent=fileSearchStores/s/documents/d", ("fileSearchStores/s",)),
        ("fields=files/name,files/uri&updateMask=files/x&pageToken=files/x", ()),
    ],
)
def test_a_query_may_name_things(query: str, names: tuple[str, ...]) -> None:
    assert names_in_query(query, HOSTS) == names


@pytest.mark.parametrize("name", NAMES)
def test_every_collection_counts_in_a_field_that_nobody_knows(name: str) -> None:
    assert named({"someday": [{"its": [name]}]}).used == (name,)
    assert names_in_query(f"x={name}") == (name,)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"fileData": {"fileUri": f"{GOOGLE}/v1beta/files/a"}}, ("files/a",)),
        ({"file_data": {"file_uri": f"{GOOGLE}/v1beta/files/a"}}, ("files/a",)),
        ({"fileData": {"fileUri": "https://proxy.example:8000/v1/files/a"}}, ("files/a",)),
        ({"fileData": {"fileUri": "http://127.0.0.1:9/base/v1beta/files/a"}}, ("files/a",)),
        ({"fileUri": "HTTPS://GenerativeLanguage.googleapis.com:443//v1//files/a"}, ("files/a",)),
        ({"fileUri": f"{GOOGLE}/v1beta/files/a:download?alt=media"}, ("files/a",)),
        ({"fileUri": f" {GOOGLE}/v1beta/%66iles/a"}, ("files/a",)),
        ({"fileUri": "//generativelanguage.googleapis.com/files/a"}, ("files/a",)),
        ({"fileUri": "generativelanguage.googleapis.com/v1/files/a"}, ("files/a",)),
        ({"fileUri": "files/a"}, ("files/a",)),
        ({"fileUri": "/v1beta/files/a"}, ("files/a",)),
        ({"cachedContent": "cachedContents/c"}, ("cachedContents/c",)),
        ({"cachedContent": "projects/p/locations/l/cachedContents/c"}, ("cachedContents/c",)),
        ({"someday": "files/a/"}, ("files/a",)),
        ({"batch": {"inputConfig": {"fileName": "files/a"}}}, ("files/a",)),
        ({"input_config": {"file_name": "files/a"}}, ("files/a",)),
        ({"fileName": "files/a", "customMetadata": [{"stringValue": "files/b"}]}, ("files/a",)),
        (
            {"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/s"] * 2}}]},
            ("fileSearchStores/s",),
        ),
        ({"previous_interaction_id": "v1_x"}, ("interactions/v1_x",)),
        ({"previous_interaction_id": "interactions/v1_x"}, ("interactions/v1_x",)),
        ({"model": "tunedModels/t"}, ("tunedModels/t",)),
        ({"model": "models/gemini-2.5-flash"}, ()),
        ({"extra_body": {"google": {"cached_content": "cachedContents/c"}}}, ("cachedContents/c",)),
        ({"input_file_id": "files/a"}, ("files/a",)),
        ({"input": [{"type": "video", "uri": f"{GOOGLE}/v1beta/files/a"}]}, ("files/a",)),
        (
            {"input": [{"content": [{"type": "image", "uri": f"{GOOGLE}/v1/files/a"}]}]},
            ("files/a",),
        ),
        (
            {"contents": {"parts": {"functionResponse": {"parts": [{"fileUri": "files/a"}]}}}},
            ("files/a",),
        ),
        ({"semanticRetriever": {"source": "corpora/c/documents/d"}}, ("corpora/c",)),
        ({"operationName": "models/veo/operations/o"}, ("models/veo/operations/o",)),
    ],
)
def test_known_members_name_things(document: Any, names: tuple[str, ...]) -> None:
    assert named(document).used == names


@pytest.mark.parametrize(
    "document",
    [
        {"contents": [{"parts": [{"text": "files/a"}]}]},
        {"input": "files/a"},
        {"input": ["files/a"]},
        {"messages": [{"role": "user", "content": "files/a"}]},
        {"parts": [{"functionCall": {"name": "f", "args": {"fileUri": "files/a"}}}]},
        {"parts": [{"function_call": {"args": {"deep": [{"uri": f"{GOOGLE}/v1/files/a"}]}}}]},
        {"parts": [{"functionResponse": {"response": {"name": "files/a"}}}]},
        {"tools": [{"functionDeclarations": [{"parameters": {"enum": ["files/a"]}}]}]},
        {"tools": [{"type": "function", "function": {"parameters": {"default": "files/a"}}}]},
        {"generationConfig": {"responseSchema": {"enum": ["files/a"]}}},
        {"generation_config": {"response_json_schema": {"const": "files/a"}}},
        {"input": [{"type": "function_call", "arguments": {"file_uri": "files/a"}}]},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=files/a"}},
        {"fileData": {"fileUri": "https://example.com/files/a"}},
        {"fileData": {"fileUri": "gs://bucket/files/a"}},
        {"displayName": "files/a", "mimeType": "image/png"},
        {"generationConfig": {"stopSequences": ["files/a"]}},
        {"stop": ["files/a"], "suffix": "files/a"},
        {"input": [{"type": "function_result", "result": "files/a"}]},
        {"executableCode": {"code": "files/a"}, "codeExecutionResult": {"output": "files/a"}},
        {"contents": [{"parts": [{"partMetadata": {"a": "files/a"}}]}]},
        {"model": "files"},
        {"x": "files/"},
        {"x": "see files/a"},
        {"files/a": 1},
    ],
)
def test_text_calls_and_schemas_name_nothing(document: Any) -> None:
    assert not named(document)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({"continuationToken": "T"}, (hashed(TOKENS, "T"),)),
        ({"continuation_token": "T"}, (hashed(TOKENS, "T"),)),
        ({"setup": {"sessionResumption": {"handle": "h"}}}, (hashed(HANDLES, "h"),)),
        ({"setup": {"session_resumption": {"handle": "h"}}}, (hashed(HANDLES, "h"),)),
        ({"handle": "h"}, ()),
        ({"agent": "helper", "environment": "env"}, ("agents/helper", "environments/env")),
        ({"cachedContent": "c"}, ("cachedContents/c",)),
        ({"voiceName": "Kore"}, ("voices/Kore",)),
        ({"file_id": "file-a"}, ("files/file-a",)),
        ({"fileUri": "https://gateway.example/v1beta/files/a"}, ("files/a",)),
    ],
)
def test_what_may_be_googles_own_counts_only_if_it_is_known(
    document: Any, names: tuple[str, ...]
) -> None:
    assert named(document) == Names((), (), names)


def test_a_token_is_not_in_its_name() -> None:
    assert "secret" not in hashed(TOKENS, "secret")


def test_doubled_members_both_count() -> None:
    body = b'{"cachedContent": "cachedContents/mine", "cachedContent": "cachedContents/anns"}'

    assert names_in_body(body).used == ("cachedContents/mine", "cachedContents/anns")


WORDS = st.sampled_from(["contents", "parts", "a", "request", "toolConfig", "generationConfig"])
PLACES = st.lists(WORDS, max_size=5)
VALUES = st.sampled_from(NAMES) | st.sampled_from(NAMES).map(lambda name: f"{GOOGLE}/v1/{name}")
NOISE = st.dictionaries(
    st.sampled_from(["text", "mimeType", "data", "temperature"]),
    st.text(max_size=8) | st.integers() | st.just("QUJD" * 40_000),
    max_size=3,
)


def written(text: str, choices: list[int]) -> str:
    r"""Write a JSON string with escapes where ``choices`` say so: ``\u0066iles\/a``."""
    pieces = []
    for character, choice in zip(text, choices * len(text), strict=False):
        quoted = json.dumps(character)[1:-1]
        escaped = f"\\u{ord(character):04x}" if choice == 1 else quoted
        pieces.append("\\/" if choice == 2 and character == "/" else escaped)
    return f'"{"".join(pieces)}"'


@given(
    st.sampled_from(["fileUri", "file_uri", "cachedContent", "uri", "someday", "name", "model"]),
    VALUES,
    PLACES,
    NOISE,
    st.lists(st.integers(0, 2), min_size=1, max_size=9),
    st.booleans(),
)
def test_a_name_is_found_in_any_place_however_it_is_escaped(
    member: str, value: str, place: list[str], noise: Any, choices: list[int], in_list: bool
) -> None:
    inner = written(value, choices)
    text = f"{{{written(member, choices[::-1])}: {f'[1, {inner}]' if in_list else inner}}}"
    for word in place:
        text = f'{{"noise": {json.dumps(noise)}, {written(word, choices)}: [null, {text}]}}'

    name = max((name for name in NAMES if value.endswith(name)), key=len)
    assert name in names_in_body(text.encode()).used


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | VALUES | VALUES.map(lambda name: f" {name}"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["uri", "agent", "handle", "x", "text", "args", "continuationToken"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("ab"), JSON), st.booleans())
def test_the_cheap_look_misses_nothing(document: Any, ascii_only: bool) -> None:
    looked_at = json.dumps({**document, "fileUri": ""}, ensure_ascii=ascii_only).encode()

    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert names_in_body(body, HOSTS) == names_in_body(looked_at, HOSTS)


@pytest.mark.parametrize(
    "body",
    [
        b"{'fileUri': 'files/a'}",
        b'{fileUri: "files/a"}',
        b'{"fileUri": "files/a",}',
        b'{"fileUri": /*"*/ "files/a"}',
        '{"fileUri": "files/a"}'.encode("utf-16"),
        '{"fileUri": "files/a"}'.encode("utf-32-le"),
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08",
        b"\x0a\x05files",
        b"",
        b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="must be JSON"):
        names_in_body(body)


def test_half_a_character_is_no_reason_to_refuse_a_body() -> None:
    assert names_in_body(b'{"text": "\\ud83d", "uri": "files/a"}').used == ("files/a",)


@pytest.mark.parametrize(
    ("kind", "coding"),
    [
        ("application/x-protobuf", ""),
        ("application/grpc-web", ""),
        ("multipart/mixed; boundary=x", ""),
        ("application/json; charset=utf-16", ""),
        ("application/json", "gzip"),
        ("application/json", "identity, br"),
    ],
)
def test_a_form_that_is_not_read_is_refused(kind: str, coding: str) -> None:
    with pytest.raises(Encoded):
        check_form(kind, coding)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        'application/json; charset="UTF-8"',
        "application/x-www-form-urlencoded",  # curl -d
        "application/octet-stream",  # aiohttp's data=bytes
    ],
)
def test_json_is_read_also_without_its_type(kind: str) -> None:
    check_form(kind, "identity")
    assert names_in_body(b"{}") == Names()


@given(st.text(), st.sampled_from(["uri", "fileUri", "someday", "agent", "cachedContent"]))
def test_any_text_can_be_looked_at(text: str, member: str) -> None:
    names_in_path(f"/v1beta/{text}")
    names_in_query(f"name={text}&{text}", HOSTS)
    for value in (text, f"{GOOGLE}/{text}", f"https:{text}", f"files/{text}", f"https://[{text}"):
        found = named({member: value})
        assert all("/" in name for name in (*found.used, *found.perhaps))
