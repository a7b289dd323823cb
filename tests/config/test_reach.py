"""Which addresses only this machine reaches."""

import pytest

from gemproxy.config.reach import is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True)),
        *(("0.0.0.0", False), ("::", False), ("192.168.0.2", False), ("example.test", False)),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
