"""The URLs that may be asked for a picture, as far as the URL itself says so."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.fetching.addresses import is_public
from gemproxy.fetching.links import Refused, Rules

RULES = Rules()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("https://pictures.example/a.png", "https://pictures.example/a.png"),
        ("http://pictures.example", "http://pictures.example"),
        ("HTTPS://Pictures.Example:443/A?b=%2F+c#d", "https://Pictures.Example/A?b=%2F+c"),
        ("http://pictures.example:443/", "http://pictures.example:443/"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://8.8.8.8/a.png", "https://8.8.8.8/a.png"),
        ("https://[2606:4700::1]/a.png", "https://[2606:4700::1]/a.png"),
        ("https://a_b.1e100.example./a@b", "https://a_b.1e100.example./a@b"),
    ],
)
def test_urls_of_the_public_internet_are_asked(text: str, asked: str) -> None:
    assert str(RULES.checked(text)) == asked


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://pictures.example/a", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("gopher://pictures.example/", "http or https"),
        ("//pictures.example/a", "http or https"),
        ("http:pictures.example", "http or https"),
        ("http:/pictures.example", "http or https"),
        ("", "without spaces"),
        ("http://pictures.example/a b", "without spaces"),
        ("http://pictures.example\\@inner.example/", "without spaces"),
        ("http://pictures.example/\r\nHost: a", "without spaces"),
        ("http://pictures.example/" + "a" * 8192, "8192"),
        ("http://user@pictures.example/", "user name"),
        ("http://user:word@pictures.example/", "user name"),
        ("http://@pictures.example/", "user name"),
        ("http://pictures.example:80@inner.example/", "user name"),
        ("http://pictures.example:22/", "usual port"),
        ("http://pictures.example:8080/", "usual port"),
        ("http://pictures.example:0/", "usual port"),
        ("http://pictures.example:99999/", "valid"),
        ("http://[::1/", "valid"),
        ("http:///a.png", "public Internet"),
    ],
)
def test_other_urls_are_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        RULES.checked(text)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "router",
        "printer.local",
        "wiki.intranet",
        "wiki.internal",
        "metadata.google.internal",
        "metadata.google.internal.",
        "METADATA.google.INTERNAL",
        "nas.home.arpa",
        "nas.lan",
        "127.0.0.1",
        "127.0.0.1.",
        "169.254.169.254",
        "10.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0X7F.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "8.8.8.8.8",
        "8.8.8",
        "08.8.8.8",
        "256.256.256.256",
        "pictures.example.0x7f",
        "pictures.example.1",
        "0x",
        "127.0.0.1%2f.pictures.example",
        "%6c%6f%63%61%6c%68%6f%73%74",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25eth0]",
        "[fd00:ec2::254]",
        "a..example",
        "-a.example",
        "a-.example",
        "a$.example",
    ],
)
def test_hosts_that_are_not_public_are_refused(host: str) -> None:
    with pytest.raises(Refused, match=r"public Internet|valid"):
        RULES.checked(f"http://{host}/a.png")


def test_a_refusal_never_repeats_the_url() -> None:
    with pytest.raises(Refused) as refused:
        RULES.checked("http://secret-name.internal/secret-path")

    assert "secret" not in str(refused.value)


HOSTS = st.text("0123456789abcdefxX.%[]:@/\\\u2488\uff11\u3002-_", min_size=1, max_size=24)
PREFIXES = st.sampled_from(["http://", "https://", "HTTP://", "http:/", "//", ""])


@given(prefix=PREFIXES, host=HOSTS | st.text(max_size=12), rest=st.sampled_from(["", "/a", "?b"]))
def test_any_text_is_refused_or_names_a_public_host(prefix: str, host: str, rest: str) -> None:
    try:
        url = RULES.checked(f"{prefix}{host}{rest}")
    except Refused:
        return
    read = url.raw_host or ""
    assert url.scheme in {"http", "https"}
    assert url.user is None
    try:
        packed = socket.inet_aton(read.removesuffix("."))
    except OSError:
        assert ":" not in read or is_public(read)
    else:  # what the system reads as an IPv4 address is one, in its usual form
        assert socket.inet_ntoa(packed) == read.removesuffix(".")
        assert is_public(socket.inet_ntoa(packed))
