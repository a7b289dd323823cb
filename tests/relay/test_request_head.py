"""The head of a request is what it is meant to be, whatever is in its parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gemproxy.relay.request_head import request_head

OWN = {"Content-Length": "2"}
CONTROLS = [chr(code) for code in (*range(9), *range(10, 32), 127)]


def made(
    *headers: tuple[str, str],
    target: str = "/v1/m?x=%zz",
    host: str = "up.test",
    method: str = "POST",
) -> bytes:
    return request_head(method, target, host, CIMultiDict(headers), OWN)


def test_a_head_has_its_host_first_and_its_length_last() -> None:
    assert made(("X-Many", "1"), ("x-many", "2"), ("X-Empty", "")) == (
        b"POST /v1/m?x=%zz HTTP/1.1\r\nHost: up.test\r\n"
        b"X-Many: 1\r\nx-many: 2\r\nX-Empty: \r\nContent-Length: 2\r\n\r\n"
    )
    assert (
        request_head("GET", "/", "h:1", CIMultiDict(), {}) == b"GET / HTTP/1.1\r\nHost: h:1\r\n\r\n"
    )


def test_a_proxy_gets_its_credential() -> None:
    own = {"Proxy-Authorization": "Basic eA==", "Content-Length": "0"}

    head = request_head("POST", "http://up.test/v1", "up.test", CIMultiDict({"A": "b"}), own)

    assert head == (
        b"POST http://up.test/v1 HTTP/1.1\r\nHost: up.test\r\nA: b\r\n"
        b"Proxy-Authorization: Basic eA==\r\nContent-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize("where", ["{}", "a{}", "{}b", "a{}b", "a\r{}b", "a{}X-Evil: 1"])
def test_a_control_character_is_refused_everywhere(where: str) -> None:
    for control in CONTROLS:
        _refused_everywhere(where.format(control))


def _refused_everywhere(text: str) -> None:
    for parts in (
        {"headers": [("X-A", text)]},
        {"headers": [(text, "1")]},
        {"headers": [("X-A", "1"), (text, "")]},
        {"target": f"/{text}"},
        {"host": text},
        {"method": text},
    ):
        headers = parts.pop("headers", [])
        with pytest.raises(ValueError, match=r"token|visible|ontrol") as caught:
            made(*headers, **parts)
        assert "Evil" not in str(caught.value)
    for name in ("Content-Length", "Proxy-Authorization"):
        with pytest.raises(ValueError, match="ontrol"):
            request_head("POST", "/", "h", CIMultiDict(), {name: text})


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "Host: evil", "é", "\udcfc", "a\t", "(a)"])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="token"):
        made((name, "1"))
    with pytest.raises(ValueError, match="token"):
        made(("A", "1"), (name, "1"), ("B", "2"))


@pytest.mark.parametrize("text", ["", " ", "/a b", "/é", "/\udcfc", "/a\tb", "/\u2028"])
def test_target_and_host_are_visible_ascii(text: str) -> None:
    with pytest.raises(ValueError, match="visible"):
        made(target=text)
    with pytest.raises(ValueError, match="visible"):
        made(host=text)


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "PROXY-AUTHORIZATION"]
)
def test_nobody_else_frames_the_request(name: str) -> None:
    with pytest.raises(ValueError, match="frames"):
        made((name, "1"))


@pytest.mark.parametrize(
    "value", ["\u010a", "\u560d\u560a", "\u2028", "\x85", "\xa0", "ü😀", "a\tb"]
)
def test_a_character_beyond_ascii_is_no_line_break(value: str) -> None:
    head = made(("X-A", value))

    assert head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r") == 5
    assert f"\r\nX-A: {value}\r\n".encode() in head


@given(st.binary(max_size=20))
def test_a_value_passes_as_the_bytes_that_it_came_as(value: bytes) -> None:
    text = value.decode("utf-8", "surrogateescape")
    if any(control in text for control in CONTROLS):
        with pytest.raises(ValueError, match="ontrol"):
            made(("X-A", text))
    else:
        assert b"\r\nX-A: " + value + b"\r\n" in made(("X-A", text))


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3))
def test_a_head_has_the_given_headers_or_is_refused(headers: list[tuple[str, str]]) -> None:
    try:
        head = made(*headers)
    except ValueError:
        return
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    assert lines[2:-3] == [f"{name}: {value}" for name, value in headers]
