"""The URIs of files, both ways: only where a URI stands, and nothing but the URI."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from gemproxy.relay.addresses import Addresses, addresses, downloads, may_hold_uris, names_files

GOOGLE = "https://generativelanguage.googleapis.com"
OURS = "https://proxy.example/gemini"
PUBLIC = addresses(URL(GOOGLE), OURS, "http", {"Host": "proxy.example"})
LOCAL = addresses(URL(GOOGLE), "", "http", {"Host": "127.0.0.1:8000"})
FILE = "/v1beta/files/abc-123"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def dumped(value: object) -> bytes:
    return json.dumps(value, indent=2).encode()


@pytest.mark.parametrize(
    "document",
    [
        {"file": {"name": "files/abc-123", "uri": "%s" + FILE}},
        {"files": [{"uri": "%s" + FILE}, {"downloadUri": "%s" + FILE + ":download?alt=media"}]},
        {"response": {"generatedSamples": [{"video": {"uri": "%s" + FILE}}]}},
    ],
)
def test_an_answer_gets_our_uris(document: dict[str, Any]) -> None:
    body = dumped(document)

    made = PUBLIC.outward(body.replace(b"%s", GOOGLE.encode()))

    assert made == body.replace(b"%s", OURS.encode())


def test_an_http_base_is_never_named_in_an_answer() -> None:
    assert LOCAL.outward(dumped({"uri": GOOGLE + FILE})) is None


@pytest.mark.parametrize("addressed", [PUBLIC, LOCAL])
def test_a_key_in_a_uri_does_not_get_out(addressed: Addresses) -> None:
    body = dumped({"uri": f"{GOOGLE}{FILE}:download?alt=media&key=test-key"})

    made = addressed.outward(body)

    assert made is not None
    assert json.loads(made)["uri"].endswith(f"{FILE}:download?alt=media")


@pytest.mark.parametrize(
    "document",
    [
        {"text": f"see {GOOGLE}{FILE}"},
        {"text": f'{{"uri": "{GOOGLE}{FILE}"}}'},
        {"name": GOOGLE + FILE},
        {"uri": f"{GOOGLE}.evil.example{FILE}"},
        {"uri": GOOGLE},
        {"uri": ["a list"], "about": GOOGLE},
    ],
)
def test_what_is_no_uri_of_the_upstream_stays(document: dict[str, Any]) -> None:
    assert PUBLIC.outward(dumped(document)) is None


def _called(uri: str) -> dict[str, Any]:
    """Return places in which a URI is a function's or a client's own, whatever its name."""
    return {
        "contents": [
            {"parts": [{"functionCall": {"name": "open", "args": {"uri": uri}}}]},
            {"parts": [{"functionResponse": {"response": {"file": {"uri": uri}}}}]},
            {"parts": [{"functionResponse": {"parts": [{"fileData": {"fileUri": uri}}]}}]},
            {"parts": [{"text": json.dumps({"uri": uri})}]},
        ],
        "tools": [{"functionDeclarations": [{"parameters": {"example": {"uri": uri}}}]}],
        "generationConfig": {"responseSchema": {"default": {"fileUri": uri}}},
        "input": [{"type": "function_result", "result": {"uri": uri}}],
        "outputs": [{"type": "function_call", "arguments": {"uri": uri, "file": {"uri": uri}}}],
        "labels": {"uri": uri},
        "l" * 80: {"uri": uri},
        'a "quoted" name': {"uri": uri},
        "": {"uri": uri},
    }


@pytest.mark.parametrize("addressed", [PUBLIC, LOCAL])
@pytest.mark.parametrize("base", [GOOGLE, OURS, "http://127.0.0.1:8000"])
def test_what_a_function_is_called_with_or_answers_stays(addressed: Addresses, base: str) -> None:
    body = dumped(_called(f"{base}{FILE}?key=the-clients-own"))

    assert addressed.inward(body) is None
    assert addressed.outward(body) is None


@pytest.mark.parametrize(
    "document",
    [
        {"contents": [{"parts": [{"fileData": {"fileUri": "%s"}}]}]},
        {"contents": {"parts": {"file_data": {"file_uri": "%s"}}}},
        {"systemInstruction": {"parts": [{"fileData": {"fileUri": "%s"}}]}},
        {"generateContentRequest": {"contents": [{"parts": [{"fileData": {"fileUri": "%s"}}]}]}},
        {"requests": [{"content": {"parts": [{"fileData": {"fileUri": "%s"}}]}}]},
        {"input": [{"type": "document", "uri": "%s"}]},
        {"input": {"type": "image", "uri": "%s"}},
        {"input": [{"role": "user", "content": [{"type": "video", "uri": "%s"}]}]},
        {"instances": [{"prompt": "x", "video": {"uri": "%s"}}]},
    ],
)
def test_files_are_found_where_the_api_names_them(document: dict[str, Any]) -> None:
    body = dumped(document)
    sent = body.replace(b"%s", b"http://127.0.0.1:8000" + FILE.encode())

    assert LOCAL.inward(sent) == body.replace(b"%s", GOOGLE.encode() + FILE.encode())


def test_a_call_beside_a_file_stays() -> None:
    uri = f"{OURS}{FILE}"
    body = dumped({**_called(uri), "input": [{"uri": uri}, {"result": {"uri": uri}}]})

    made = PUBLIC.inward(body)

    assert made is not None
    assert made.count(OURS.encode()) == body.count(OURS.encode()) - 1
    assert json.loads(made)["input"][0]["uri"] == GOOGLE + FILE


def test_the_key_of_another_hosts_uri_stays() -> None:
    body = dumped({"output": [{"uri": "https://maps.example/x?key=1"}, {"uri": GOOGLE + FILE}]})

    made = PUBLIC.outward(body)

    assert made == body.replace(GOOGLE.encode(), OURS.encode())


@pytest.mark.parametrize("base", [OURS, "http://proxy.example", "https://proxy.example"])
@pytest.mark.parametrize("name", ["fileUri", "file_uri", "uri"])
def test_a_request_gets_googles_uris(base: str, name: str) -> None:
    body = dumped({"contents": [{"parts": [{"fileData": {name: base + FILE}}]}]})

    assert PUBLIC.inward(body) == body.replace(base.encode(), GOOGLE.encode())


def test_slashes_may_be_escaped() -> None:
    made = LOCAL.inward(rb'{"fileUri":"http:\/\/127.0.0.1:8000\/v1beta\/files\/abc"}')

    assert made == b'{"fileUri":"%s/v1beta/files/abc"}' % GOOGLE.encode()


def test_the_key_of_our_uri_does_not_go_up() -> None:
    made = LOCAL.inward(dumped({"fileUri": f"http://127.0.0.1:8000{FILE}?key=test-key"}))

    assert made == dumped({"fileUri": GOOGLE + FILE})


@pytest.mark.parametrize(
    "uri",
    [GOOGLE + FILE, "https://youtu.be/x?key=1", "gs://bucket/x", "http://127.0.0.1:80001/x", ""],
)
def test_other_uris_of_a_request_stay(uri: str) -> None:
    assert LOCAL.inward(dumped({"fileUri": uri, "about": "127.0.0.1:8000"})) is None


@given(JSON)
def test_any_document_without_such_a_uri_stays(document: object) -> None:
    assert PUBLIC.outward(dumped(document)) is None
    assert PUBLIC.inward(dumped(document)) is None


@given(JSON, JSON)
def test_what_goes_down_comes_up_again(before: object, after: object) -> None:
    body = dumped({"x": before, "file": {"uri": GOOGLE + FILE}, "y": [GOOGLE, after]})

    down = PUBLIC.outward(body)

    assert down is not None
    assert PUBLIC.inward(down) == body


@given(st.binary())
def test_a_body_that_is_no_json_never_raises_and_never_becomes_empty(noise: bytes) -> None:
    for body in (noise, b'"uri":"%s/%s"' % (GOOGLE.encode(), noise)):
        assert PUBLIC.outward(body) != b""


def test_a_uri_that_is_no_json_string_stays() -> None:
    assert PUBLIC.outward(b'{"uri":"%s/\\x"}' % GOOGLE.encode()) is None


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        (f"{GOOGLE}/v1/x?a=b&key=test-key", f"{OURS}/v1/x?a=b"),
        ("https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("/v1/x", "/v1/x"),
    ],
)
def test_a_redirect_stays_on_our_base(location: str, ours: str) -> None:
    assert PUBLIC.location(location) == ours


@pytest.mark.parametrize(
    ("scheme", "headers", "ours"),
    [
        ("http", {"Host": "h:8000"}, "http://h:8000"),
        ("https", {"Host": "h"}, "https://h"),
        ("http", {"Host": "h", "X-Forwarded-Proto": "https"}, "https://h"),
        ("http", {"Host": "h", "X-Forwarded-Proto": "gopher"}, "http://h"),
        ("http", {"Host": "h", "X-Forwarded-Proto": "https,http"}, "https://h"),
        ("http", {"Host": "h", "X-Forwarded-Proto": " HTTPS , http, http"}, "https://h"),
        ("http", {"Host": "h", "X-Forwarded-Proto": "http,https"}, "http://h"),
        ("http", {"Host": "h", "X-Forwarded-Proto": ""}, "http://h"),
        ("http", {"Host": "[::1]:80"}, "http://[::1]:80"),
        ("http", {"Host": 'h"/x'}, None),
        ("http", {"Host": "h\r\nX: y"}, None),
        ("http", {}, None),
    ],
)
def test_our_base_is_what_the_client_names(
    scheme: str, headers: dict[str, str], ours: str | None
) -> None:
    assert addresses(URL(GOOGLE), "", scheme, headers).ours == ours


def test_of_several_headers_the_first_counts() -> None:
    for first, second, ours in (("https", "http", "https://h"), ("http", "https", "http://h")):
        headers = CIMultiDict({"Host": "h"})
        headers.add("X-Forwarded-Proto", first)
        headers.add("X-Forwarded-Proto", second)

        assert addresses(URL(GOOGLE), "", "http", headers).ours == ours


def test_the_operators_word_counts_more() -> None:
    made = addresses(URL(GOOGLE), "https://x.example/a/", "http", {"Host": "h"})

    assert made.ours == "https://x.example/a"
    assert made.also_ours == ("https://x.example/a", "https://h", "http://h")


def test_without_a_base_redirects_stay_on_the_upstream() -> None:
    made = addresses(URL("http://gate.example/up/"), "", "http", {})

    assert made.location("http://gate.example/up/x?key=k") == "http://gate.example/up/x"


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/files",
        "/v1/files/abc",
        "/base/v1/files?pageSize=2",
        "/v1/files:register",
        "/v1/generatedFiles/x",
        "/v1beta/models/veo/operations/y",
        "/upload/v1/files?upload_id=x",
        "/v1/interactions",
    ],
)
def test_these_answers_may_name_files(target: str) -> None:
    assert names_files(target)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/files/abc:download?alt=media",
        "/v1/files/abc?alt=media",
        "/v1/files/abc?x=y&$alt=media",
        "/v1/generatedFiles/x?%24alt=media",
        "/v1beta/models",
        "/v1beta/models/files-1:countTokens",
        "/x?y=/files/",
    ],
)
def test_these_do_not(target: str) -> None:
    assert not names_files(target)


def test_a_download_is_known_by_its_target() -> None:
    assert downloads("/v1/files/a:download")
    assert not downloads("/v1/files/a?malt=media")


@pytest.mark.parametrize("name", ["uri", "fileUri", "file_uri", "downloadUri", "download_uri"])
def test_a_body_that_may_hold_uris_is_known_by_their_names(name: str) -> None:
    assert may_hold_uris(b'{"%s" : "x"}' % name.encode())
    assert not may_hold_uris(b'{"contents":[]}')
