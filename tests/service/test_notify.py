"""The word to the starter: sent where it is wanted, and never in the way."""

import socket
from pathlib import Path

import pytest

from gemproxy.service.notify import READY, VARIABLE, tell


@pytest.mark.parametrize("place", ["file", "name"])
def test_the_starter_is_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "s") if place == "file" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0"))
        monkeypatch.setenv(VARIABLE, address)
        tell(READY)

        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:1:2", "/nowhere/at/all"])
def test_a_starter_that_is_not_there_is_no_failure(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, address)

    tell(READY)
