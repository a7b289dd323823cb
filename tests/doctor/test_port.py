"""The port: free, ours, somebody else's, or not for us."""

import errno
import socket

import pytest

from gemproxy import __version__
from gemproxy.doctor.asking import answer_of
from gemproxy.doctor.port import judge_bind, try_to_bind, version_in
from tests.doctor.conftest import Doctor
from tests.running import StartProxy


async def test_a_free_port_is_silent(doctor: Doctor, free_port: int) -> None:
    report = await doctor()

    assert report.one("port").status == "ok"
    assert str(free_port) in report.one("port").message


async def test_any_port_is_free(doctor: Doctor) -> None:
    assert (await doctor("--port", "0")).one("port").message == "any free one"


async def test_a_port_of_another_program_is_a_fault(doctor: Doctor, taken_port: int) -> None:
    report = await doctor("--port", str(taken_port))

    assert "is taken by another program" in report.faults["port"]
    assert f"sport = :{taken_port}" in report.one("port").advice


async def test_a_port_of_our_own_is_said(doctor: Doctor, proxy: StartProxy) -> None:
    running = await proxy("http://127.0.0.1:9")
    report = await doctor("--port", running.url.rpartition(":")[2])

    assert report.one("port").status == "ok"
    assert f"a running gemproxy {__version__}" in report.one("port").message


async def test_the_port_of_the_metrics_is_tried_too(doctor: Doctor, taken_port: int) -> None:
    report = await doctor(GEMPROXY_METRICS_PORT=str(taken_port))

    assert [one.status for one in report.of("port")] == ["ok", "fault"]


async def test_an_address_of_another_machine_is_a_fault(doctor: Doctor) -> None:
    report = await doctor("--host", "192.0.2.1", "--allow-passthrough-keys", "true")

    assert "no address of this machine" in report.faults["port"]


@pytest.mark.parametrize(
    ("code", "number", "words"),
    [
        (errno.EACCES, 443, "ports below 1024 are for root"),
        (errno.EACCES, 8000, "the system forbids it"),
        (errno.EADDRNOTAVAIL, 8000, "no address of this machine"),
        (errno.ENOBUFS, 8000, "nobody can listen"),
    ],
)
def test_each_refusal_of_the_system_has_words(code: int, number: int, words: str) -> None:
    verdict = judge_bind("server.port", "h", number, code)

    assert verdict.status == "fault"
    assert words in verdict.message


def test_a_try_leaves_the_port_free(free_port: int) -> None:
    assert try_to_bind("127.0.0.1", free_port) == 0
    with socket.socket() as again:
        again.bind(("127.0.0.1", free_port))


def test_an_unknown_name_is_no_address_of_ours() -> None:
    assert try_to_bind("nowhere.invalid", 1) == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b'{"status": "ok", "version": "1.2"}', "1.2"),
        (b'{"version": "1.2"}', None),
        (b'{"status": "ok", "version": 7}', None),
        (b'{"status": "ok", "version": "%b"}' % (b"x" * 99), None),
        (b"[]", None),
        (b"<html>", None),
    ],
)
def test_gemproxy_is_known_by_its_health(body: bytes, version: str | None) -> None:
    assert version_in(answer_of(200, body)) == version
