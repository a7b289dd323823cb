"""What values are taken, what they become, and how they are shown."""

from ipaddress import ip_network
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.config import kinds
from gemproxy.config.kinds import converter, kind_of

B_TEST = "http://b.test:5173"
NO_DATABASE = "is not postgresql://user:password@host/name, nor sqlite:///file"
NO_NETWORK = "is not a list of networks, such as '10.0.0.0/8' or '192.0.2.7, 2001:db8::/32'"
NO_ZONE = "is not the name of a time zone, such as Europe/Berlin"
NO_ORIGIN = "is not a list of origins, such as 'https://example.org' or '*'"


def read(annotation: object, value: object) -> object:
    return converter().structure(value, cast("type[object]", annotation))


def show(annotation: object, value: object) -> str:
    kind = kind_of(annotation)
    assert kind is not None
    return kind.show(value)


@pytest.mark.parametrize(
    ("annotation", "raw", "value"),
    [
        (kinds.Port, "8000", 8000),
        (kinds.Port, 0, 0),
        (kinds.Count, "0", 0),
        (kinds.Ratio, "0.25", 0.25),
        (kinds.Ratio, 1, 1.0),
        (kinds.Ratio, ".5", 0.5),
        (kinds.Positive, " 7 ", 7),
        (kinds.Seconds, 30, 30.0),
        (kinds.Seconds, "1.5", 1.5),
        (kinds.Seconds, "250ms", 0.25),
        (kinds.Seconds, "30s", 30.0),
        (kinds.Seconds, "2m", 120.0),
        (kinds.Seconds, "1h", 3600.0),
        (kinds.SecondsOrNone, 0, 0.0),
        (kinds.Bytes, 1048576, 1048576),
        (kinds.Bytes, "512", 512),
        (kinds.Bytes, "512B", 512),
        (kinds.Bytes, "4KiB", 4096),
        (kinds.Bytes, "32 MiB", 32 << 20),
        (kinds.Bytes, "1GiB", 1 << 30),
        (kinds.Switch, True, True),
        (kinds.Switch, "on", True),
        (kinds.Switch, "No", False),
        (kinds.Switch, "0", False),
        (kinds.Text, "", ""),
        (kinds.Name, " localhost ", "localhost"),
        (kinds.UrlBase, "https://example.test/", "https://example.test"),
        (kinds.UrlBase, "http://[::1]:8080/gemini/", "http://[::1]:8080/gemini"),
        (kinds.ProxyUrl, "", ""),
        (kinds.ProxyUrl, "env", "env"),
        (kinds.SwitchOrNone, "", None),
        (kinds.SwitchOrNone, None, None),
        (kinds.SwitchOrNone, "off", False),
        (kinds.SwitchOrNone, True, True),
        (kinds.Networks, "", ()),
        (kinds.Networks, ["10.1.2.3/8"], (ip_network("10.0.0.0/8"),)),
        (kinds.Networks, "192.0.2.7, ::1", (ip_network("192.0.2.7/32"), ip_network("::1/128"))),
        (kinds.Networks, (ip_network("10.0.0.0/8"),), (ip_network("10.0.0.0/8"),)),
        (kinds.Zone, " Europe/Berlin ", "Europe/Berlin"),
        (kinds.Zone, "UTC", "UTC"),
        (kinds.DatabaseUrl, "", ""),
        (kinds.DatabaseUrl, "postgres://u:p@db:5432/x", "postgres://u:p@db:5432/x"),
        (kinds.DatabaseUrl, "postgresql:///x?host=/run/db", "postgresql:///x?host=/run/db"),
        (kinds.DatabaseUrl, "sqlite:///var/ledger.sqlite", "sqlite:///var/ledger.sqlite"),
        (kinds.Unpriced, "Allow", "allow"),
        (kinds.Origins, [], ()),
        (kinds.Origins, "", ()),
        (kinds.Origins, "*", ("*",)),
        (kinds.Origins, "https://A.test/, http://b.test:5173", ("https://a.test", B_TEST)),
        (kinds.Origins, ["https://a.test", B_TEST], ("https://a.test", B_TEST)),
        (kinds.ProxyUrl, "http://user:pass@proxy.test:3128", "http://user:pass@proxy.test:3128"),
        (kinds.Level, "WARN", "warning"),
        (kinds.Level, "Debug", "debug"),
        (kinds.Format, "TEXT", "text"),
        (kinds.Ending, "reroll", "reroll"),
    ],
)
def test_a_value_of_any_source_becomes_what_it_means(
    annotation: object, raw: object, value: object
) -> None:
    assert read(annotation, raw) == value
    assert read(annotation, value) == value


@pytest.mark.parametrize(
    ("annotation", "raw", "sentence"),
    [
        (kinds.Port, "eighty", "is not a whole number"),
        (kinds.Port, 80.5, "is not a whole number"),
        (kinds.Port, True, "is not a whole number"),
        (kinds.Port, {}, "is not a whole number"),
        (kinds.Port, 65536, "is more than 65535"),
        (kinds.Port, -1, "is less than 0"),
        (kinds.Positive, 0, "is less than 1"),
        (kinds.Ratio, 1.5, "is not a ratio from 0 to 1, such as 0.1"),
        (kinds.Ratio, "-1", "is not a ratio from 0 to 1, such as 0.1"),
        (kinds.Ratio, "half", "is not a ratio from 0 to 1, such as 0.1"),
        (kinds.Seconds, 0, "is not more than 0"),
        (kinds.Seconds, "-1", "is not a number of seconds, such as 30, 1.5 or '2m'"),
        (kinds.Seconds, "inf", "is not a number of seconds, such as 30, 1.5 or '2m'"),
        (kinds.Seconds, "soon", "is not a number of seconds, such as 30, 1.5 or '2m'"),
        (kinds.Bytes, "32MB", "is not a number of bytes, such as 1048576 or '1MiB'"),
        (kinds.Bytes, 0, "is not more than 0"),
        (kinds.Switch, "maybe", "is not true or false"),
        (kinds.Switch, [], "is not true or false"),
        (kinds.Text, "two\nlines", "is not one line of text"),
        (kinds.Text, 5, "is not one line of text"),
        (kinds.Name, "  ", "is empty"),
        (kinds.UrlBase, "", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "example.test", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "ftp://example.test", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "http://a b", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "http://a:port", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "http://a:0", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "http://[::1", "is not a URL that begins with http:// or https://"),
        (kinds.UrlBase, "http://me@a", "must not hold a user name or a password"),
        (kinds.UrlBase, "http://a/b?c=d", "must end with its path: no query, no fragment"),
        (kinds.UrlBase, "http://a/b#", "must end with its path: no query, no fragment"),
        (kinds.ProxyUrl, "socks5://a", "is not an http(s) URL, nor 'env', nor empty"),
        (kinds.Origins, 5, "is not a list of origins"),
        (kinds.Origins, [5], "is not one line of text"),
        (kinds.Origins, "a.test", NO_ORIGIN),
        (kinds.Origins, "https://*.a.test/path", NO_ORIGIN),
        (kinds.Origins, "https://me@a.test", NO_ORIGIN),
        (kinds.Origins, "https://a.test:0", NO_ORIGIN),
        (kinds.SwitchOrNone, "maybe", "is not true or false"),
        (kinds.Networks, 5, "is not a list of networks"),
        (kinds.Networks, "*", NO_NETWORK),
        (kinds.Networks, ["10.0.0.0/33"], NO_NETWORK),
        (kinds.Zone, "Europe/Atlantis", NO_ZONE),
        (kinds.Zone, "Europe", NO_ZONE),
        (kinds.Zone, "../UTC", NO_ZONE),
        (kinds.Zone, "/etc/localtime", NO_ZONE),
        (kinds.Zone, "", "is empty"),
        (kinds.DatabaseUrl, "mysql://db/x", NO_DATABASE),
        (kinds.DatabaseUrl, "postgres://db:port/x", NO_DATABASE),
        (kinds.DatabaseUrl, "sqlite://", NO_DATABASE),
        (kinds.DatabaseUrl, "ledger.sqlite", NO_DATABASE),
        (kinds.Unpriced, "maybe", "is not one of refuse, allow"),
        (kinds.Level, "loud", "is not one of debug, info, warning, error, critical"),
        (kinds.Ending, 1, "is not one of accept, resume, replay, reroll"),
    ],
)
def test_a_wrong_value_is_refused_with_the_end_of_a_sentence(
    annotation: object, raw: object, sentence: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is compared whole)
        read(annotation, raw)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("annotation", "value", "shown"),
    [
        (kinds.Port, 8000, "8000"),
        (kinds.Seconds, 30.0, "30"),
        (kinds.Seconds, 0.25, "0.25"),
        (kinds.Bytes, 128 << 20, "128MiB"),
        (kinds.Bytes, 1 << 30, "1GiB"),
        (kinds.Bytes, 1536, "1536B"),
        (kinds.Switch, True, "true"),
        (kinds.Switch, False, "false"),
        (kinds.Origins, (), ""),
        (kinds.Origins, ("https://a.test", B_TEST), f"https://a.test, {B_TEST}"),
        (kinds.ProxyUrl, "http://user:pass@proxy.test:3128", "http://***@proxy.test:3128"),
        (kinds.SwitchOrNone, None, ""),
        (kinds.SwitchOrNone, False, "false"),
        (kinds.Networks, (ip_network("10.0.0.0/8"), ip_network("::1")), "10.0.0.0/8, ::1/128"),
        (kinds.DatabaseUrl, "", ""),
        (kinds.DatabaseUrl, "postgres://u:p@ss@db:5/x?password=q", "postgres://***@db:5/x"),
        (kinds.DatabaseUrl, "sqlite:///ledger.sqlite", "sqlite:///ledger.sqlite"),
    ],
)
def test_a_value_is_shown_as_people_would_write_it(
    annotation: object, value: object, shown: str
) -> None:
    assert show(annotation, value) == shown


@given(st.integers(min_value=1, max_value=1 << 49))
def test_a_shown_size_is_read_as_the_same_size(size: int) -> None:
    assert read(kinds.Bytes, show(kinds.Bytes, size)) == size


@given(st.text())
def test_an_accepted_url_base_never_ends_with_a_slash_and_is_read_as_itself(text: str) -> None:
    try:
        url = read(kinds.UrlBase, f"https://host/{text}")
    except ValueError:
        return

    assert not str(url).endswith("/")
    assert read(kinds.UrlBase, url) == url


def test_other_annotations_have_no_kind() -> None:
    assert kind_of(int) is None
