"""Runs the application: processes, the event loop, the socket, the shutdown.

At SIGTERM or SIGINT readiness turns off, the socket closes, and running requests get the drain
timeout to finish; after that the remaining ones are ended with an error. A second signal ends the
wait at once.

For other servers SIGHUP means to read their settings again. Ours are read only at the start, so it
changes nothing, and the log gets one line. If it comes because the proxy's terminal was closed, it
counts as SIGTERM. Under nohup it is ignored.

``handler_cancellation`` ends a handler with its client, so an answer without a reader costs
nothing. aiohttp's access log is off, because it prints the query with the keys; the middleware
writes ours. Its keep-alive timeout is also the only limit on a client that sends its request head
slowly.

The kernel queues as many clients as may be served: uvloop accepts one for each turn of the loop
(libuv since 1.45), and in a burst a client that finds the queue full is reset half a minute later.

Several workers share the port by SO_REUSEPORT. Each is a process of its own, started afresh,
because the threads of the log do not run in a fork. If a worker dies, the others are shut down in
order, so the supervisor of the service notices it and restarts the service. All workers get the key
that seals upload sessions, because any of them may get the next piece, and the directory in which
they ask each other (``web.neighbours``).
"""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from aiohttp import web

from gemproxy import __version__
from gemproxy.config.operators import operators_keys
from gemproxy.config.settings import Loaded, Settings
from gemproxy.config.starting import access_keys
from gemproxy.config.tls import TlsError, server_context
from gemproxy.exchange.credential import is_api_key
from gemproxy.observe import logs
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.parser import NO_PARSER, parses_in_c
from gemproxy.relay.sessions import new_key
from gemproxy.routes.parts import DOOR, IN_FLIGHT
from gemproxy.service.notify import READY, STOPPING, tell
from gemproxy.store.unusable import Unusable
from gemproxy.web.admin import own_app
from gemproxy.web.app import create_app
from gemproxy.web.greeting import KEYS, greeting
from gemproxy.web.middlewares import MIDDLEWARES
from gemproxy.web.neighbours import Neighbours, private_directory
from gemproxy.web.pictures import prepare_pictures
from gemproxy.web.pooling import prepare
from gemproxy.web.tracing import collectors_secrets

_COLLECT_AFTER = 10_000  # new containers
_AFTER_DRAIN_SECONDS = 1.0
_MOST_SECRETS = 256
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_TERMINAL = "/dev/tty"
_NO_RELOAD = "SIGHUP changes nothing: the settings and the files of TLS are read at the start only"
_NO_DIRECTORY = (
    "gemproxy: no folder for temporary files can be written to, so the workers cannot ask each"
    " other: lists and figures of what runs have those of one worker only\n"
)
_ORDERLY = (0, -signal.SIGTERM)
"""Exit codes of a terminated worker, which may not have set up its signal handlers yet."""

_log = logging.getLogger(__name__)


def serve(loaded: Loaded) -> int:
    """Serve until a signal comes; return the exit status of the process.

    0 after an orderly shutdown, 1 if the address cannot be listened on or a worker died, 2 without
    a safe parser and for a data directory that cannot be used.
    """
    if not parses_in_c():
        sys.stderr.write(f"{NO_PARSER}\n")
        return 2
    settings = loaded.settings
    try:
        prepare(settings)
        prepare_pictures(settings)
        if settings.server.workers > 1:
            return _supervise(loaded)
        with _logging(settings):
            return _run(loaded, announce=True)
    except Unusable as error:
        return _refused(error)


def _refused(error: Unusable) -> int:
    """Say why the proxy does not start; return the exit status."""
    sys.stderr.write(f"gemproxy: {error.setting}: {error}\n")
    return 2


@contextlib.contextmanager
def _logging(settings: Settings) -> Iterator[None]:
    """Set up the log by the settings; once in each serving process."""
    logging = settings.logging
    undo = logs.configure(
        level=logging.level,
        style=logging.format,
        file=logging.file,
        debug_mode=logging.debug_mode,
    )
    try:
        with logs.masking(_secrets(settings)):
            yield
    finally:
        undo()


def _secrets(settings: Settings) -> list[str]:
    """Return the keys that the log does not know by their form, if they are not too many."""
    given = access_keys(settings.access.keys, settings.access.password).values()
    pool = (key.secret for key in operators_keys(settings) if not is_api_key(key.secret))
    store = filter(
        None, [settings.images.access_key, settings.images.secret_key, settings.admin.secret]
    )
    return [*given, *store, *collectors_secrets(os.environ), *pool][:_MOST_SECRETS]


def _run(
    loaded: Loaded,
    *,
    announce: bool,
    upload_key: bytes | None = None,
    neighbours: Neighbours | None = None,
) -> int:
    settings, origins = loaded.settings, loaded.origins
    app = create_app(settings, upload_key, neighbours=neighbours, origins=origins)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(app, settings, announce=announce))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's if it is installed: a frame costs two fifths less time with it."""
    try:
        import uvloop  # noqa: PLC0415 (not on every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop


def make_runner(app: web.Application, settings: Settings) -> web.AppRunner:
    """Return the runner of ``app``, which does not listen yet."""
    return web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=settings.server.request_header_timeout,
        shutdown_timeout=_AFTER_DRAIN_SECONDS,
    )


async def _serve(app: web.Application, settings: Settings, *, announce: bool) -> int:
    server = settings.server
    runner = make_runner(app, settings)
    await runner.setup()
    try:
        shared = True if server.workers > 1 else None
        tls = server_context(server.tls_cert, server.tls_key) if server.tls_cert else None
        site = web.TCPSite(
            runner,
            server.host,
            server.port,
            reuse_port=shared,
            ssl_context=tls,
            backlog=server.max_connections,
        )
        await site.start()
        office = await _open_office(app, settings, tls, shared=shared)
    except (OSError, TlsError) as error:
        sys.stderr.write(f"gemproxy cannot listen: {_said(error)}\n")
        await runner.cleanup()
        return 1
    except Unusable:
        await runner.cleanup()
        raise
    # Objects that exist by now live as long as the process, so the collector can skip them. It
    # need not search for cycles after every few requests, because hardly any code here makes them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 5, 10)
    signals = _signals(supervised=server.workers > 1)
    if announce:
        sys.stdout.write(
            f"gemproxy {__version__} ({_words(app, settings)}){_beside(office, settings)} "
            f"listens on {site.name}\n"
        )
        sys.stdout.flush()
        tell(READY)
    await signals.get()
    if announce:
        tell(STOPPING)
    await site.stop()
    await _drain(app[IN_FLIGHT], server.drain_timeout, signals)
    if office is not None:
        await office.cleanup()
    await runner.cleanup()
    return 0


async def _open_office(
    app: web.Application, settings: Settings, tls: ssl.SSLContext | None, *, shared: bool | None
) -> web.AppRunner | None:
    """Listen on the admin API's own port, if it has one. Raises Unusable."""
    admin = settings.admin
    if not admin.port:
        return None
    runner = make_runner(own_app(app, MIDDLEWARES), settings)
    await runner.setup()
    try:
        site = web.TCPSite(runner, admin.host, admin.port, reuse_port=shared, ssl_context=tls)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        why = f"cannot be listened on at {admin.host}: {error.strerror or error}"
        raise Unusable("admin.port", why) from None
    return runner


def _beside(office: web.AppRunner | None, settings: Settings) -> str:
    """Return where the operator finds the pages, the admin API and the metrics."""
    found = []
    if office is not None:
        found.append(f"the admin API on {next(iter(office.sites)).name}, its pages at /admin/,")
    elif settings.admin.secret:
        found.append("pages at /admin/")
    metrics = settings.metrics
    if metrics.enabled and metrics.port:
        found.append(f"metrics on http://{metrics.host}:{metrics.port}")
    return f" with {' and '.join(found)}" if found else ""


def _words(app: web.Application, settings: Settings) -> str:
    """Return who brings the Gemini key, and where the pool's keys were found."""
    door = app[DOOR]
    keys = app.get(KEYS) or operators_keys(settings)
    return greeting(door.mode, keys, open_to_all=door.open)


def _said(error: OSError | TlsError) -> str:
    if isinstance(error, TlsError):
        return f"the file of server.{error.setting} {error}"
    return error.strerror or str(error)


def _signals(*, supervised: bool) -> "asyncio.Queue[int]":
    """Return the queue of the signals from now on; an ignored signal stays ignored."""
    terminal = _has_terminal()
    came: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, came.put_nowait, number)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, _hang_up, None if supervised else came, terminal)
    return came


def _hang_up(came: "asyncio.Queue[int] | None", terminal: bool) -> None:  # noqa: FBT001 (a callback)
    """Handle a SIGHUP: log one that was sent, and shut down for that of a closed ``terminal``.

    The latter goes to ``came`` once: an ending shell sends it again, and a second signal would end
    the wait. A worker leaves it to its supervisor.
    """
    if not terminal or _has_terminal():
        _log.warning(_NO_RELOAD)
    elif came is not None:
        came.put_nowait(signal.SIGHUP)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.debug, "SIGHUP again")


def _has_terminal() -> bool:
    """Return whether the process has a controlling terminal that is still open."""
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def _drain(in_flight: InFlight, seconds: float, signals: "asyncio.Queue[int]") -> None:
    """Let running requests finish, until the time is over or a second signal comes."""
    draining = asyncio.create_task(in_flight.drain(seconds))
    hurry = asyncio.create_task(signals.get())
    await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not draining.done():
        draining.cancel()
        await in_flight.drain(0)


def _supervise(loaded: Loaded) -> int:
    """Run the workers until a signal comes or one of them ends."""
    if loaded.settings.server.port == 0:
        sys.stderr.write("gemproxy cannot listen: several workers need a port, not 0\n")
        return 1
    with private_directory() as directory:
        if directory is None:
            sys.stderr.write(_NO_DIRECTORY)
        return _run_workers(_workers(loaded, directory))


def _workers(loaded: Loaded, directory: Path | None) -> list[SpawnProcess]:
    """Return the processes of the workers, which are not started yet."""
    spawn = multiprocessing.get_context("spawn")
    key, several = new_key(), loaded.settings.server.workers
    return [
        spawn.Process(
            target=_work,
            args=(loaded, Neighbours(directory, number, several), key),
            name=f"gemproxy-{number}",
        )
        for number in range(several)
    ]


def _run_workers(workers: Sequence[SpawnProcess]) -> int:
    """Run the workers until a signal comes or one of them ends; return the exit status."""
    with _forwarding(workers) as signalled:
        for worker in workers:
            worker.start()
        missed = bool(signalled)  # by workers that were not started yet
        if not missed:
            wait([worker.sentinel for worker in workers])
        # A second signal ends the wait of the other workers, so a worker that ends first must not
        # cause one: it would cut their streams.
        if missed or not signalled:
            _terminate(workers)
        for worker in workers:
            worker.join()
    return 0 if all(worker.exitcode in _ORDERLY for worker in workers) else 1


def _work(loaded: Loaded, neighbours: Neighbours, key: bytes) -> None:
    """Run one worker; only the supervisor handles the terminal's SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = neighbours.number == 0
    try:
        with _logging(loaded.settings):
            status = _run(loaded, announce=first, upload_key=key, neighbours=neighbours)
    except Unusable as error:
        status = _refused(error)
    sys.exit(status)


@contextlib.contextmanager
def _forwarding(workers: Sequence[SpawnProcess]) -> Iterator[list[int]]:
    """Pass signals on to the workers, as SIGTERM; yield the list of those that came.

    A SIGHUP that ends nothing goes to the first worker, which has a log.
    """
    came: list[int] = []
    had_terminal = _has_terminal()

    def forward(number: int, _frame: object) -> None:
        came.append(number)
        _terminate(workers)

    def hang_up(number: int, frame: object) -> None:
        if had_terminal and not _has_terminal():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            forward(number, frame)
        elif workers[0].pid is not None and workers[0].is_alive():
            os.kill(workers[0].pid, number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hang_up)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(workers: Sequence[SpawnProcess]) -> None:
    for worker in workers:
        if worker.pid is not None and worker.is_alive():
            worker.terminate()
