"""The process: how it starts, and how it goes down with streams running."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from yarl import URL

from gemproxy.pool.key import fingerprint
from gemproxy.relay.parting import NEVER
from tests.certificates import make
from tests.live_upstream import LIVE, live_upstream, silent
from tests.sockets import (
    CHUNKED,
    END,
    Client,
    Reader,
    Script,
    Writer,
    chunk,
    connected,
    exchange,
    head,
    scripted,
)

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import fcntl, json, os, sys, termios
if os.isatty(0) and os.getsid(0) == os.getpid():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from gemproxy.web.server import serve
from gemproxy.config.sections import Server, Upstream
from gemproxy.config.settings import Loaded, Settings
server, url_base = json.loads(sys.argv[1])
settings = Settings(server=Server(**server), upstream=Upstream(url_base=url_base))
sys.exit(serve(Loaded(settings, {})))
"""
GET = b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@attrs.frozen
class Process:
    """A proxy in a process of its own."""

    process: asyncio.subprocess.Process

    async def url(self) -> URL:
        """Return where it says that it listens."""
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        assert line.startswith("gemproxy ")
        return URL(line.split()[-1])

    async def port(self) -> int:
        return (await self.url()).port or 0

    async def line(self) -> str:
        """Return the next line of standard error that is no request's."""
        assert self.process.stderr is not None
        line = (await self.process.stderr.readline()).decode()
        return await self.line() if "gemproxy.access" in line else line

    async def errors(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exit_status(self) -> int:
        return await self.process.wait()


@contextlib.asynccontextmanager
async def started(
    cwd: Path,
    port: int,
    url_base: str = "http://upstream.invalid",
    terminal: Mapping[str, Any] | None = None,
    /,
    **server: float | str,
) -> AsyncIterator[Process]:
    """Start a proxy with settings of its section ``server``; it is gone when this is left.

    ``terminal`` says how its process gets a terminal of its own.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, json.dumps([{"port": port, **server}, url_base])),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **terminal or {},
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


async def status(port: int, path: str) -> int:
    top, _ = await exchange(port, GET % path.encode())
    return int(top.split()[1])


async def until_refused(port: int) -> None:
    """Return once nobody accepts connections on ``port``."""
    refused = False
    while not refused:
        try:
            async with connected(port, b""):
                pass
        except ConnectionRefusedError:
            refused = True
        except ConnectionResetError:
            pass  # caught between accepting and closing


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_listens_and_ends_with_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with started(tmp_path, 0) as proxy:
        url = await proxy.url()
        assert url.host == "127.0.0.1"
        assert url.port
        assert await status(url.port, "/readyz") == 200

        proxy.send(number)

        assert await proxy.exit_status() == 0
        assert await proxy.errors() == ""


@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_is_served_with_the_parser_in_python(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOHTTP_NO_EXTENSIONS", "1")
    async with started(tmp_path, 0, workers=workers) as proxy:
        assert await proxy.exit_status() == 2
        (line,) = (await proxy.errors()).splitlines()
        assert "unset AIOHTTP_NO_EXTENSIONS" in line


async def test_an_address_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(tmp_path, port) as proxy:
            assert await proxy.exit_status() == 1
            (line,) = (await proxy.errors()).splitlines()
            assert line.startswith("gemproxy cannot listen: ")


@attrs.define
class Stream:
    """A stream that runs through a proxy: its script, and the means to complete it."""

    go_on: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def script(self, reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED + chunk(b"one"))
        await self.go_on.wait()
        writer.write(chunk(b"two") + END)


@contextlib.asynccontextmanager
async def streaming(
    cwd: Path, script: Script, drain: float
) -> AsyncIterator[tuple[Process, int, Client]]:
    """Yield a proxy, its port, and a client that has received the first chunk of a stream."""
    async with (
        scripted(script) as upstream,
        started(cwd, 0, str(upstream), drain_timeout=drain) as proxy,
    ):
        port = await proxy.port()
        async with connected(port, GET % b"/v1/x") as client:
            await client.head()
            await client.reader.readexactly(len(chunk(b"one")))
            yield proxy, port, client


async def test_a_running_stream_may_finish(tmp_path: Path) -> None:
    stream = Stream()
    async with streaming(tmp_path, stream.script, 60) as (proxy, port, client):
        proxy.send(signal.SIGTERM)
        await until_refused(port)
        stream.go_on.set()

        assert await client.rest() == chunk(b"two") + END
        assert await proxy.exit_status() == 0


async def test_readiness_is_off_for_connections_that_are_still_open(tmp_path: Path) -> None:
    stream = Stream()
    async with streaming(tmp_path, stream.script, 60) as (proxy, port, client):
        ready = b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"
        async with connected(port, ready) as probe:
            assert (await probe.head()).startswith(b"HTTP/1.1 200 ")
            proxy.send(signal.SIGTERM)
            await until_refused(port)
            probe.writer.write(ready)
            assert b"503" in await probe.rest()
        stream.go_on.set()

        assert await client.rest() == chunk(b"two") + END
        assert await proxy.exit_status() == 0


async def test_a_stream_that_outlasts_the_drain_is_cut(tmp_path: Path) -> None:
    async with streaming(tmp_path, Stream().script, 0.05) as (proxy, _, client):
        proxy.send(signal.SIGTERM)

        assert await client.rest() == NEVER
        assert await proxy.exit_status() == 0


async def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    async with streaming(tmp_path, Stream().script, 3600) as (proxy, port, client):
        proxy.send(signal.SIGTERM)
        await until_refused(port)
        proxy.send(signal.SIGTERM)

        assert await client.rest() == NEVER
        assert await proxy.exit_status() == 0


def children_of(proxy: Process) -> set[Path]:
    pid = proxy.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}/stat") for child in children}


def runs(stat: Path) -> bool:
    """Tell a process from one that has ended, whether its parent knows of it or not."""
    try:
        return not stat.read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_worker_that_ends_first_leaves_the_others_their_streams(tmp_path: Path) -> None:
    stream = Stream()
    async with (
        scripted(stream.script) as upstream,
        started(tmp_path, free_port(), str(upstream), workers=2) as proxy,
    ):
        port = await proxy.port()
        async with connected(port, GET % b"/v1/x") as client:
            await client.head()
            await client.reader.readexactly(len(chunk(b"one")))
            children = children_of(proxy)
            proxy.send(signal.SIGTERM)
            while all(map(runs, children)):  # noqa: ASYNC110 (no event tells of it)
                await asyncio.sleep(0.01)
            stream.go_on.set()

            assert await client.rest() == chunk(b"two") + END
        assert await proxy.exit_status() == 0


async def test_several_workers_share_the_port(tmp_path: Path) -> None:
    port = free_port()
    async with started(tmp_path, port, workers=2) as proxy:
        assert await proxy.port() == port
        assert await status(port, "/health") == 200

        proxy.send(signal.SIGTERM)

        assert await proxy.exit_status() == 0
    with pytest.raises(ConnectionRefusedError):
        await status(port, "/health")


@pytest.mark.parametrize("killed", [False, True])
async def test_workers_ask_each_other_in_a_directory_that_goes_with_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed: bool,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setenv("TMPDIR", place)
        async with started(tmp_path, free_port(), workers=2) as proxy:
            url = await proxy.url()
            assert found_in(place) == [0o700]
            async with aiohttp.ClientSession() as session, asyncio.timeout(60):
                told = {"workers": {"answered": 0}}
                while told["workers"]["answered"] != 1:  # the other one is starting
                    async with session.get(url / "status") as answer:
                        told = await answer.json()
            assert sockets_in(place) == ["0.sock", "1.sock"]

            if killed:
                os.kill(worker_of(proxy), signal.SIGKILL)
            else:
                proxy.send(signal.SIGTERM)
            assert await proxy.exit_status() == (1 if killed else 0)
        assert found_in(place) == []


def found_in(place: str) -> list[int]:
    """Return the modes of the directories in a folder."""
    return [stat.S_IMODE(path.stat().st_mode) for path in Path(place).iterdir()]


def sockets_in(place: str) -> list[str]:
    return sorted(path.name for path in Path(place).glob("*/*"))


def worker_of(proxy: Process) -> int:
    """Return the process of a worker; its command line says that it was spawned."""
    for child in children_of(proxy):
        if b"spawn_main" in child.with_name("cmdline").read_bytes():
            return int(child.parent.name)
    raise AssertionError("no worker runs")


@pytest.mark.parametrize("workers", [1, 2])
async def test_it_speaks_tls_with_the_files_of_the_settings(tmp_path: Path, workers: int) -> None:
    files = make(tmp_path)
    port = free_port()
    tls = {"tls_cert": files.cert, "tls_key": files.key}
    async with started(tmp_path, port, workers=workers, **tls) as proxy:
        url = await proxy.url()
        assert url == URL(f"https://127.0.0.1:{port}")
        assert await tls_version(port, files.trusting()) in {"TLSv1.2", "TLSv1.3"}
        old = files.trusting()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.maximum_version = ssl.TLSVersion.TLSv1_1
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await tls_version(port, old)

        proxy.send(signal.SIGTERM)

        assert await proxy.exit_status() == 0


async def tls_version(port: int, context: ssl.SSLContext) -> str:
    """Return the version of TLS that is spoken on a port."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    version: str = writer.get_extra_info("ssl_object").version()
    writer.transport.abort()
    return version


async def test_files_of_tls_that_cannot_be_used_are_one_clear_line(tmp_path: Path) -> None:
    files = make(tmp_path)
    async with started(tmp_path, 0, tls_cert=files.cert, tls_key=files.cert) as proxy:
        assert await proxy.exit_status() == 1
        (line,) = (await proxy.errors()).splitlines()
        assert line == (
            "gemproxy cannot listen: the file of server.tls_key is no private key in PEM form"
        )


async def test_a_live_session_that_outlasts_the_drain_is_told_so(tmp_path: Path) -> None:
    async with (
        live_upstream(silent) as upstream,
        started(tmp_path, 0, upstream.url, drain_timeout=0.05) as proxy,
        aiohttp.ClientSession() as session,
        session.ws_connect(await proxy.url() / LIVE.lstrip("/")) as client,
    ):
        proxy.send(signal.SIGTERM)
        message = await client.receive()

        assert (message.data, message.extra) == (1001, "The proxy is shutting down.")
        assert await upstream.closed() == (1001, "The proxy is shutting down.")
        assert await proxy.exit_status() == 0


NO_RELOAD = "SIGHUP changes nothing: the settings and the files of TLS are read at the start only"


async def endless(reader: Reader, writer: Writer) -> None:
    """Answer with a body that has no end until the client leaves."""
    await head(reader)
    writer.write(CHUNKED + chunk(b"begun"))
    await reader.read()


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_hang_up_changes_nothing_and_is_one_line(tmp_path: Path, workers: int) -> None:
    async with (
        scripted(endless) as upstream,
        started(tmp_path, free_port(), str(upstream), workers=workers) as proxy,
    ):
        port = await proxy.port()
        async with connected(port, GET % b"/v1beta/x") as client:
            await client.head()
            await client.reader.readuntil(b"begun\r\n")
            for _ in range(2):
                proxy.send(signal.SIGHUP)
                assert NO_RELOAD in await proxy.line()
            assert await status(port, "/livez") == 200
            assert not client.reader.at_eof()

        proxy.send(signal.SIGTERM)

        assert await proxy.exit_status() == 0
        assert NO_RELOAD not in await proxy.errors()


async def test_under_nohup_a_hang_up_is_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with started(tmp_path, 0) as proxy:
            port = await proxy.port()
            proxy.send(signal.SIGHUP)
            assert await status(port, "/livez") == 200
            proxy.send(signal.SIGTERM)

            assert await proxy.exit_status() == 0
            assert await proxy.errors() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_terminal_that_is_closed_lets_streams_finish(tmp_path: Path, workers: int) -> None:
    go = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(CHUNKED + chunk(b"begun"))
        await go.wait()
        writer.write(chunk(b"done") + END)

    ours, theirs = os.openpty()
    async with scripted(script) as upstream:
        terminal = {"start_new_session": True, "stdin": theirs}
        url = str(upstream)
        async with started(tmp_path, free_port(), url, terminal, workers=workers) as proxy:
            port = await proxy.port()
            os.close(theirs)
            async with connected(port, GET % b"/v1beta/x") as client:
                await client.head()
                await client.reader.readuntil(b"begun\r\n")
                os.close(ours)
                await until_refused(port)
                proxy.send(signal.SIGHUP)
                go.set()
                assert (await client.rest()).endswith(chunk(b"done") + END)

            assert await proxy.exit_status() == 0


async def test_several_workers_need_a_port(tmp_path: Path) -> None:
    async with started(tmp_path, 0, workers=2) as proxy:
        assert await proxy.exit_status() == 1
        assert "need a port" in await proxy.errors()


async def test_workers_that_cannot_listen_are_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(tmp_path, port, workers=2) as proxy:
            assert await proxy.exit_status() == 1
            assert "gemproxy cannot listen: " in await proxy.errors()


async def test_the_command_says_where_each_key_of_the_pool_was_found(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PASSWORD=gp-7Kq2mXv9TzRw4Lp8\nGEMINI_API_KEY=canary-of-dotenv")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gemproxy", "--port", "0"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GEMINI_API_KEYS": "canary-1,canary-2"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
    finally:
        if process.returncode is None:
            process.terminate()
        _, errors = await process.communicate()

    one, two, three = map(fingerprint, ("canary-1", "canary-2", "canary-of-dotenv"))
    places = f"{one}, {two} from environment GEMINI_API_KEYS; {three} from .env GEMINI_API_KEY"
    assert f"(pool: 3 keys of 3 projects: {places}) listens on http://127.0.0.1:" in line
    assert "canary" not in line + errors.decode()
