"""What libraries may put into the log: that something happened, and where; never about what.

aiohttp's server writes the bytes of a malformed request into a traceback, asyncio the repr of
whatever was in hand, and both may do so in other words after the next release. So a record of
theirs never reaches the log. A new one takes its place, made of names that are written in code:
the logger, the exception's class, the files and functions that it passed through, and the
library's sentence where it is one that we know. A malformed request is no error of ours and one
line at INFO; what else is below a warning is left out.
"""

import logging
import traceback

LIBRARIES = frozenset({"aiohttp", "aiohttp_sse", "asyncio", "concurrent", "uvloop"})
"""First parts of the loggers that are not ours and see requests."""

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
"""The module of the exceptions by which aiohttp's parser refuses a request."""

_MOST_STEPS = 20


def told(record: logging.LogRecord) -> logging.LogRecord | None:
    """Return the record that the log may hold for ``record``, or None for none at all."""
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
