"""Which IP addresses may be asked for a picture: those that belong to the public Internet.

IPv6 is allowed within 2000::/3 only, the one block from which the IANA gives out global unicast
addresses. So the forms that carry an IPv4 address outside of it (mapped, compatible, translated,
NAT64) need no line of their own; those within it (6to4, Teredo) have one. The rest of the table is
from the IANA's registries of special-purpose addresses (RFC 6890) and of multicast, and from clouds
whose metadata services have a public address.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

REFUSED = (
    ("0.0.0.0/8", "this network, RFC 791; 0.0.0.0 is unspecified and reaches the own machine"),
    ("10.0.0.0/8", "private, RFC 1918"),
    ("100.64.0.0/10", "shared by customers of a provider (CGNAT), RFC 6598; some metadata"),
    ("127.0.0.0/8", "loopback, RFC 1122"),
    ("168.63.129.16/32", "the host of a virtual machine in Azure, at a public address"),
    ("169.254.0.0/16", "link-local, RFC 3927; the metadata services of clouds"),
    ("172.16.0.0/12", "private, RFC 1918"),
    ("192.0.0.0/24", "protocol assignments, RFC 6890; some metadata"),
    ("192.0.2.0/24", "documentation, RFC 5737"),
    ("192.88.99.0/24", "relays of 6to4, deprecated, RFC 7526"),
    ("192.168.0.0/16", "private, RFC 1918"),
    ("198.18.0.0/15", "benchmarks, RFC 2544"),
    ("198.51.100.0/24", "documentation, RFC 5737"),
    ("203.0.113.0/24", "documentation, RFC 5737"),
    ("224.0.0.0/4", "multicast, RFC 5771"),
    ("240.0.0.0/4", "reserved, RFC 1112; limited broadcast, RFC 919"),
    ("2001::/23", "protocol assignments, RFC 2928; Teredo, RFC 4380; benchmarks, ORCHID"),
    ("2001:db8::/32", "documentation, RFC 3849"),
    ("2002::/16", "6to4, which carries an IPv4 address, RFC 3056"),
    ("2620:4f:8000::/48", "delegation of AS112, RFC 7534"),
    ("3fff::/20", "documentation, RFC 9637"),
)
"""Network -> why no address in it may be asked."""

_NETWORKS = tuple(ipaddress.ip_network(network) for network, _ in REFUSED)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


def is_public(text: str) -> bool:
    """Return whether ``text`` is an IP address on the public Internet.

    Text that is no plain address, such as one with a zone, is not.
    """
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    if address.version == _GLOBAL_UNICAST.version and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NETWORKS)
