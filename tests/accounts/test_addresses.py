"""The address of a client: the connection's, or the last untrusted one in X-Forwarded-For."""

import ipaddress

import pytest

from gemproxy.accounts.addresses import Proxies, subscriber

TRUSTED = ["10.0.0.0/8", "127.0.0.1", "2001:db8:aaaa::/48"]


def proxies(*networks: str) -> Proxies:
    return Proxies(tuple(map(ipaddress.ip_network, networks)))


BEHIND = proxies(*TRUSTED)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("/run/gemproxy.sock", "/run/gemproxy.sock"),
    ],
)
def test_without_a_trusted_proxy_the_peer_is_the_client(peer: str, expected: str) -> None:
    assert Proxies().client(peer, ["198.51.100.1"]) == expected
    assert BEHIND.client(peer, ["198.51.100.1"]) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "10.0.0.1"),
        (["198.51.100.1"], "198.51.100.1"),
        (["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        (["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (["198.51.100.1", "10.0.0.2, 10.0.0.3"], "198.51.100.1"),
        (["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        (["203.0.113.9", "198.51.100.1,10.0.0.2 ", "10.9.9.9"], "198.51.100.1"),
        (["10.0.0.7, 10.0.0.2"], "10.0.0.7"),
        (["198.51.100.1:50123"], "198.51.100.1"),
        (["2001:db8::5"], "2001:db8::5"),
        (["[2001:db8::5]"], "2001:db8::5"),
        (["[2001:db8::5]:443"], "2001:db8::5"),
        (["198.51.100.1, 2001:db8:aaaa::1"], "198.51.100.1"),
        (["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
        (["::ffff:198.51.100.1"], "198.51.100.1"),
    ],
)
def test_behind_trusted_proxies_the_last_untrusted_address_counts(
    headers: list[str], expected: str
) -> None:
    assert BEHIND.client("10.0.0.1", headers) == expected


@pytest.mark.parametrize(
    "garbage",
    [
        *("unknown", "_hidden", "", "-", "1.2.3", "1.2.3.4.5", "01.02.03.04", "1.2.3.4:x"),
        *("[1.2.3.4]", "[::1", "[::1]x", "[::1]:", "::g", "localhost", "1.2.3.4/8", "٣.1.1.1"),
        *('"192.0.2.1"', "for=192.0.2.1", "256.1.1.1", "1.2.3.4:٤٤"),
    ],
)
def test_an_entry_that_is_no_address_leaves_the_proxy_that_reported_it(garbage: str) -> None:
    assert BEHIND.client("10.0.0.1", [f"198.51.100.1, {garbage}, 10.0.0.2"]) == "10.0.0.2"
    assert BEHIND.client("10.0.0.1", [garbage]) == "10.0.0.1"
    assert BEHIND.client("10.0.0.1", [f"{garbage}, 198.51.100.1"]) == "198.51.100.1"


def test_what_a_client_writes_itself_changes_nothing() -> None:
    honest = BEHIND.client("10.0.0.1", ["198.51.100.1"])
    forged = BEHIND.client("10.0.0.1", ["127.0.0.1, 10.0.0.5, 203.0.113.1, 198.51.100.1"])

    assert forged == honest


def test_a_trusted_network_may_be_written_as_ipv4_in_ipv6() -> None:
    mapped = proxies("::ffff:10.0.0.0/104")

    assert mapped.client("10.1.2.3", ["198.51.100.1"]) == "198.51.100.1"
    assert mapped.client("::ffff:10.1.2.3", ["198.51.100.1"]) == "198.51.100.1"
    assert mapped.client("11.1.2.3", ["198.51.100.1"]) == "11.1.2.3"


def test_all_addresses_may_be_trusted() -> None:
    everywhere = proxies("0.0.0.0/0", "::/0")

    assert everywhere.client("10.0.0.1", ["203.0.113.9, 198.51.100.1"]) == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", ""),
        ("/run/gemproxy.sock", "/run/gemproxy.sock"),
    ],
)
def test_an_ipv6_address_counts_by_its_network(address: str, counted: str) -> None:
    assert subscriber(address) == counted
