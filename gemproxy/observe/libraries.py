"""Log records of libraries, reduced to the event and its place, without any data.

aiohttp's server writes the bytes of a malformed request into a traceback, asyncio writes the repr
of arbitrary objects, and the next release may change their words. So their records never reach the
log. Each is replaced by a record of names from the code: the logger, the exception's class, the
files and functions that it passed through, and the library's sentence if we know it. A malformed
request is not our error and becomes one line at INFO; other records below a warning are dropped.
"""

import logging
import traceback

LIBRARIES = frozenset(
    {
        *("aiohttp", "aiohttp_sse", "asyncio", "concurrent", "uvloop"),
        *("aiosqlite", "alembic", "asyncpg", "limits", "sqlalchemy"),
        *("opentelemetry", "requests", "urllib3"),
    }
)
"""First parts of the names of library loggers that see requests, or what is stored."""

_KNOWN = frozenset(
    {
        "Error handling request from %s",
        "Fatal error on transport",
        "Fatal read error on socket transport",
        "Fatal write error on socket transport",
        "Future exception was never retrieved",
        "SSL handshake failed",
        "Task exception was never retrieved",
        "Task was destroyed but it is pending!",
        "Unclosed client session",
        "Unclosed connection",
        "Unclosed connector",
        "Unclosed response",
        "Unhandled exception",
        "socket.accept() out of system resource",
    }
)
_MALFORMED = "aiohttp.http_exceptions"
"""The module of the exceptions that aiohttp's parser raises for a bad request."""

_MOST_STEPS = 20


def replaced(record: logging.LogRecord) -> logging.LogRecord | None:
    """Return the record that replaces ``record`` in the log, or None to drop it."""
    if record.name.partition(".")[0] not in LIBRARIES:
        return record
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and _is_malformed(error):
        return _made(record, logging.INFO, "a request that is no HTTP was refused", error)
    if record.levelno < logging.WARNING:
        return None
    sentence = str(record.msg).partition("\n")[0]
    said = sentence.removesuffix(" from %s") if sentence in _KNOWN else "a library complains"
    told = _made(record, record.levelno, said, error)
    told.where = f"{record.filename}:{record.lineno} {record.funcName}"
    if error is not None:
        told.path = _steps(error)
    return told


def _is_malformed(error: BaseException) -> bool:
    return any(kind.__module__ == _MALFORMED for kind in type(error).__mro__)


def _made(
    record: logging.LogRecord, level: int, message: str, error: BaseException | None
) -> logging.LogRecord:
    made = logging.LogRecord(
        record.name, level, record.pathname, record.lineno, message, None, None
    )
    made.created, made.msecs = record.created, record.msecs
    if error is not None:
        made.error = type(error).__qualname__
    return made


def _steps(error: BaseException) -> list[str]:
    """Return the places that an exception passed through, the innermost last."""
    steps = [
        f"{frame.f_code.co_filename.rpartition('/')[2]}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return steps[-_MOST_STEPS:]
