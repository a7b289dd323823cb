"""Names of pictures are looked up in threads that nobody else needs."""

import asyncio
import socket
import threading

import pytest

from gemproxy.fetching.names import Names


async def test_a_name_has_the_addresses_of_the_system() -> None:
    names = Names()
    found = await names.resolve("127.0.0.1", 80, socket.AF_UNSPEC)
    await names.close()

    assert [(one["host"], one["port"], one["family"]) for one in found] == [
        ("127.0.0.1", 80, socket.AF_INET)
    ]


async def test_a_name_without_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    names = Names()
    with pytest.raises(OSError, match="unknown"):
        await names.resolve("nobody.example", 80)
    await names.close()


async def test_lookups_that_hang_hold_no_thread_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, threads = threading.Event(), set()

    def hanging(*_: object, **__: object) -> list[object]:
        threads.add(threading.current_thread().name.rpartition("_")[0])
        held.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    names = Names()
    lookups = [asyncio.create_task(names.resolve(f"{n}.example")) for n in range(40)]
    try:
        assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        held.set()
        assert await asyncio.gather(*lookups) == [[]] * 40
        await names.close()

    assert threads == {"pictures"}
