"""The way out: the proxy that the settings or the environment name, and its credential."""

import base64
import json
from pathlib import Path

import pytest
from yarl import URL

from gemproxy.config.outbound import resolve_proxy
from gemproxy.config.settings import Settings, SettingsError
from tests.running import StartProxy
from tests.sockets import OK, Reader, Writer, head, scripted

UPSTREAM = URL("https://api.upstream.example/base")
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("setting", "environ", "expected"),
    [
        ("", {"HTTPS_PROXY": PROXY}, None),
        (PROXY, {"NO_PROXY": "*"}, PROXY),
        ("https://proxy.example", {}, "https://proxy.example"),
        ("env", {}, None),
        ("env", {"HTTPS_PROXY": PROXY}, PROXY),
        ("env", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other.example"}, PROXY),
        ("env", {"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ("env", {"HTTP_PROXY": PROXY}, None),
        ("env", {"ALL_PROXY": PROXY}, PROXY),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "upstream.example"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "no_proxy": "a, .Upstream.Example"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*.upstream.example"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "api.upstream.example:443"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "api.upstream.example:80"}, PROXY),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "stream.example,,"}, PROXY),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "a b\tapi.upstream.example"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "api.upstream.example."}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*.example:443"}, None),
        ("env", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8, ::/0, 0.0.0.0/0"}, PROXY),
        ("env", {"HTTPS_PROXY": f" {PROXY} "}, PROXY),
        ("env", {"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, PROXY),
        ("env", {"https_proxy": "", "HTTPS_PROXY": PROXY}, PROXY),
        ("env", {"HTTPS_PROXY": PROXY, "ALL_PROXY": "socks5://other.example"}, PROXY),
        ("env", {"ALL_PROXY": "socks5://other.example", "NO_PROXY": ".example"}, None),
    ],
)
def test_the_proxy_is_the_settings_or_the_environments(
    setting: str, environ: dict[str, str], expected: str | None
) -> None:
    assert (URL(expected) if expected else None) == resolve_proxy(setting, UPSTREAM, environ)


@pytest.mark.parametrize("setting", ["socks5://user:test-pass@proxy.example", "http://"])
def test_a_proxy_of_another_kind_is_refused_without_showing_it(setting: str) -> None:
    with pytest.raises(ValueError, match="http://") as caught:
        resolve_proxy(setting, UPSTREAM, {})

    assert "test-pass" not in str(caught.value)


V4, V4_PORT = "http://10.1.2.3", "http://10.1.2.3:8080"
V6 = "http://[2001:db8::1]:8080"


@pytest.mark.parametrize(
    ("upstream", "no_proxy", "direct"),
    [
        (V4, "10.0.0.0/8", True),
        (V4, "10.1.2.3/8", True),
        (V4, "11.0.0.0/8,10.1.2.3", True),
        (V4, "10.1.2.4", False),
        (V4, "192.168.0.0/16", False),
        (V4, "10.1.2.3:80", True),
        (V4_PORT, "10.1.2.3:80", False),
        (V4_PORT, "10.1.2.3:8080", True),
        (V4, "2.3", False),
        (V4, ".3", False),
        (V4, "10.0.0.0/33,10.0.0.0/x,/8", False),
        (V4, "::ffff:10.1.2.3", True),
        (V4, "::/0", False),
        (V6, "2001:db8::/32", True),
        (V6, "2001:db8:0:0::1", True),
        (V6, "[2001:db8::1]", True),
        (V6, "[2001:db8::1]:8080", True),
        (V6, "[2001:db8::1]:80", False),
        (V6, "[2001:DB8::]/32", True),
        (V6, "[2001:db9::]/32", False),
        (V6, "2001:db8::2", False),
        (V6, "0.0.0.0/0", False),
        ("http://[::ffff:10.1.2.3]", "10.0.0.0/8", True),
        ("http://[fe80::1]", "fe80::/10", True),
        ("http://notexample.test", "example.test", False),
        ("http://EXAMPLE.test", "Example.Test", True),
        ("http://example.test.", "example.test", True),
        ("http://bücher.test", "bücher.test", True),
        ("http://bücher.test", "xn--bcher-kva.test", True),
        ("http://a.example.test", "*example.test", True),
        ("http://example.test", "*", True),
        ("http://example.test", ".,*.,..,:80,[],[", False),
        ("http://localhost:8080", "localhost", True),
    ],
)
def test_no_proxy_names_hosts_domains_addresses_and_networks(
    upstream: str, no_proxy: str, *, direct: bool
) -> None:
    environ = {"http_proxy": PROXY, "NO_PROXY": no_proxy}

    assert (resolve_proxy("env", URL(upstream), environ) is None) is direct


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5://user:test-pass@proxy.example:1080", "ALL_PROXY speaks socks5;"),
        ("all_proxy", "socks5h://user:test-pass@proxy.example", "all_proxy speaks socks5h;"),
        ("HTTPS_PROXY", "test-pass-!://x", "HTTPS_PROXY speaks another;"),
        ("HTTPS_PROXY", "http://user:test-pass@proxy.example:no", "HTTPS_PROXY is no URL"),
        ("HTTPS_PROXY", "http://user:test-pass@[proxy", "HTTPS_PROXY is no URL"),
        ("HTTPS_PROXY", "http://", "HTTPS_PROXY is no URL"),
        ("HTTPS_PROXY", "http://a%3Ab:test-pass@proxy.example", "HTTPS_PROXY has a colon"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line_of_the_settings(
    variable: str, value: str, said: str, tmp_path: Path
) -> None:
    environ = {"GEMPROXY_UPSTREAM_PROXY": "env", variable: value}

    with pytest.raises(SettingsError) as caught:
        Settings.load([], environ, tmp_path)

    (problem,) = caught.value.problems
    assert problem.startswith(f"upstream.proxy: {said}")
    assert problem.endswith("(from environment GEMPROXY_UPSTREAM_PROXY)")
    assert "test-pass" not in problem
    assert Settings.load([], {variable: value}, tmp_path).settings.upstream.proxy == ""


CREDENTIALS = {
    "user:test-pass": b"user:test-pass",
    "user:p%C3%A4ss": "user:päss".encode(),
    "user:päss": "user:päss".encode(),
    "user:p%E4ss": b"user:p\xe4ss",
    "пользователь:пароль": "пользователь:пароль".encode(),
    "user:%E5%AF%86%E7%A0%81%F0%9F%94%91": "user:密码🔑".encode(),
    "user:a%3Ab%40c%2F": b"user:a:b@c/",
    "user": b"user:",
    "user:%0D%0AX-A:%20b": b"user:\r\nX-A: b",
}


@pytest.mark.parametrize("written", CREDENTIALS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_credential_goes_to_the_proxy_as_the_bytes_that_it_stands_for(
    scheme: str, written: str, proxy: StartProxy
) -> None:
    heads: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        heads.append(await head(reader))
        writer.write(OK if scheme == "http" else b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    async with scripted(script) as url:
        out = f"http://{written}@127.0.0.1:{url.port}"
        served = await proxy(
            f"{scheme}://upstream.invalid",
            upstream={"proxy": out},
            repair={"max_consecutive_retries": 0},
        )
        answer = await served.ask("/v1beta/corpora", json.dumps({}).encode())

    assert answer.status == (200 if scheme == "http" else 503)
    sent = base64.b64encode(CREDENTIALS[written])
    assert b"\r\nProxy-Authorization: Basic %b\r\n" % sent in heads[0]
