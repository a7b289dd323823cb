"""How the workers of one proxy ask each other about what only one of them knows.

The workers share a port, so the kernel decides which of them gets a request: a list of running
streams, or a scrape of metrics, has to ask all. The supervisor makes a private directory, and each
worker listens in it on a unix socket, named by the number of the worker. Only the user of the proxy
may enter the directory (mode 0700), so the questions carry no key, and no TCP port leads there.

A question is a path and a JSON document, sent to all other workers at once on connections of their
own. A worker that is dead, hung, or not started yet is left out after a second at the latest; the
asker learns how many were asked and how many answered. A process without other workers has no
directory, no socket, and nobody to ask.

A socket's path has 107 bytes at most (103 on macOS), so the directory lies at the first place with
a short name that can be written to. If there is none, the workers serve without asking each other.
"""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import msgspec
from aiohttp import web

from gemproxy.admin.desk import Answer, Answers
from gemproxy.observe.logs import unsaid

Answerer = Callable[[Any], Awaitable[Any]]
"""Answers another worker's question: a JSON document in, one out."""

PATIENCE = 1.0
"""Seconds in which a worker must answer."""
_LONGEST = 90
"""Bytes of a directory's path that leave room for the names of the sockets."""
_PLACES = ("/tmp", "/dev/shm", "/var/tmp")  # noqa: S108 (mkdtemp makes a private one)
_JSON = "application/json"

_log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class Neighbours:
    """The other workers, as worker ``number`` of ``workers`` sees them.

    ``directory`` has the sockets; None where there are none. ``answerers`` answer the others'
    questions, by path.
    """

    directory: Path | None = None
    number: int = 0
    workers: int = 1
    answerers: dict[str, Answerer] = attrs.field(factory=dict)
    patience: float = PATIENCE

    async def ask(self, path: str, document: Any = None) -> Answers:  # noqa: ANN401 (JSON)
        """Ask all other workers at once; return what came in time. Raises nothing."""
        others = [number for number in range(self.workers) if number != self.number]
        if not others or self.directory is None:
            return Answers(asked=len(others))
        body = msgspec.json.encode(document)
        came = await asyncio.gather(*(self._ask(number, path, body) for number in others))
        return Answers(tuple(answer for answer in came if answer is not None), len(others))

    async def _ask(self, number: int, path: str, body: bytes) -> Answer | None:
        connector = aiohttp.UnixConnector(str(self._socket(number)), force_close=True)
        timeout = aiohttp.ClientTimeout(total=self.patience)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.post(f"http://worker/{path}", data=body) as response,
            ):
                response.raise_for_status()
                return Answer(number, msgspec.json.decode(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            _log.debug("worker %d does not answer %s: %s", number, path, type(error).__name__)
            return None

    def _socket(self, number: int) -> Path:
        assert self.directory is not None  # noqa: S101 (asked by those that checked)
        return self.directory / f"{number}.sock"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer the other workers while entered."""
        if self.directory is None:
            yield
            return
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.UnixSite(runner, self._socket(self.number)).start()
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        answerer = self.answerers.get(request.path.removeprefix("/"))
        if answerer is None:
            return web.Response(status=404)
        try:
            document = await answerer(msgspec.json.decode(await request.read()))
            return web.Response(body=msgspec.json.encode(document), content_type=_JSON)
        except Exception as error:  # noqa: BLE001 (the asker goes on without us)
            _log.error("unexpected error for another worker", exc_info=unsaid(error))
            return web.Response(status=500)


NEIGHBOURS = web.AppKey("neighbours", Neighbours)


@contextlib.contextmanager
def private_directory(places: Sequence[str] | None = None) -> Iterator[Path | None]:
    """Yield a directory for the sockets, which is removed at the exit; None if there is no place.

    ``places`` are the folders in which it may be made; None: the system's for temporary files.
    """
    made = _make(_temporary() if places is None else places)
    try:
        yield made
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def _temporary() -> Sequence[str]:
    try:
        return (tempfile.gettempdir(), *_PLACES)
    except FileNotFoundError:
        return _PLACES


def _make(places: Sequence[str]) -> Path | None:
    for place in places:
        try:
            made = Path(tempfile.mkdtemp(prefix="gemproxy-", dir=place))
        except OSError:
            continue
        if len(bytes(made.absolute())) <= _LONGEST:
            return made.absolute()
        made.rmdir()
    return None
