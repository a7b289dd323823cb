"""What the workers ask each other over sockets in a private directory."""

import asyncio
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gemproxy.admin.desk import Answer, Answers
from gemproxy.web.neighbours import Neighbours, private_directory

SHORT = 0.05
"""Seconds for a worker that will not answer."""


@pytest.fixture(name="place")
def a_private_directory() -> Iterator[Path]:
    with private_directory() as directory:
        assert directory is not None
        yield directory


@asynccontextmanager
async def workers(
    place: Path, number: int, of: int | None = None, patience: float = 5.0
) -> AsyncIterator[list[Neighbours]]:
    """Yield workers that answer ``echo`` with their number and the document."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(worker(place, one, of or number, patience))
            for one in range(number)
        ]


@asynccontextmanager
async def worker(
    place: Path, number: int, several: int, patience: float
) -> AsyncIterator[Neighbours]:
    async def echo(document: Any) -> Any:
        return [number, document]

    async def fail(_document: Any) -> Any:
        raise ValueError(number)

    made = Neighbours(place, number, several, {"echo": echo, "fail": fail}, patience)
    async with made.listening():
        yield made


async def test_all_others_answer(place: Path) -> None:
    async with workers(place, 3) as (first, *_):
        assert await first.ask("echo", {"a": "ü"}) == Answers(
            (Answer(1, [1, {"a": "ü"}]), Answer(2, [2, {"a": "ü"}])), 2
        )


async def test_a_worker_that_has_not_started_is_left_out(place: Path) -> None:
    async with workers(place, 2, of=3) as (first, _):
        assert await first.ask("echo") == Answers((Answer(1, [1, None]),), 2)


async def test_a_worker_that_died_is_left_out(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "1.sock"))
    async with workers(place, 1, of=2) as (first,):
        assert await first.ask("echo") == Answers((), 1)


async def test_a_worker_that_hangs_is_left_out(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(place / "1.sock"))
        hung.listen()
        async with workers(place, 1, of=2, patience=SHORT) as (first,):
            assert await first.ask("echo") == Answers((), 1)


async def test_a_worker_that_answers_no_json_is_left_out(place: Path) -> None:
    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{")
        writer.close()

    async with (
        await asyncio.start_unix_server(nonsense, place / "1.sock"),
        workers(place, 1, of=2) as (first,),
    ):
        assert await first.ask("echo") == Answers((), 1)


async def test_what_fails_or_is_unknown_there_is_left_out_and_logged(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with workers(place, 2) as (first, _):
        assert await first.ask("unknown") == Answers((), 1)
        assert not caplog.records
        assert await first.ask("fail") == Answers((), 1)
        assert "unexpected error for another worker" in caplog.text


async def test_a_process_alone_asks_nobody_and_has_no_socket() -> None:
    alone = Neighbours()
    async with alone.listening():
        assert await alone.ask("echo") == Answers((), 0)


async def test_without_a_directory_all_others_are_left_out() -> None:
    lost = Neighbours(None, 0, 4)
    async with lost.listening():
        assert await lost.ask("echo") == Answers((), 3)


async def test_a_socket_answers_no_longer_than_its_worker_listens(place: Path) -> None:
    async with workers(place, 1, of=2) as (first,):
        async with worker(place, 1, 2, SHORT):
            assert (await first.ask("echo")).answers
        assert not (await first.ask("echo")).answers


def test_the_directory_is_its_users_alone_and_is_removed() -> None:
    with private_directory() as directory:
        assert directory is not None
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (directory / "0.sock").touch()
    assert not directory.exists()


def test_a_place_with_a_long_name_or_without_the_right_to_write_is_passed_over(
    tmp_path: Path,
) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    with (
        tempfile.TemporaryDirectory() as short,
        private_directory([str(long), str(tmp_path / "missing"), short]) as directory,
    ):
        assert directory is not None
        assert directory.parent == Path(short)
    assert list(long.iterdir()) == []


def test_without_a_place_there_is_no_directory(tmp_path: Path) -> None:
    with private_directory([str(tmp_path / "missing")]) as directory:
        assert directory is None
