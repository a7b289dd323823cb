"""Log records: one line each, with the request's id, without keys, off the event loop.

The thread that logs finishes the record: message and traceback become text, keys in them
are masked, the request's id is added. Then a queue in memory hands it to a thread of its
own that formats and writes it. So a slow disk or terminal never stops a stream, and what
reaches a formatter has no secret left in it.
"""

import contextvars
import copy
import logging
import re
import secrets
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from queue import SimpleQueue
from typing import Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra
from pythonjsonlogger.json import JsonFormatter

request_id_var: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "request_id", default=None
)
"""The id of the request that this context serves."""

QUEUE_LIMIT = 10_000
"""Most records that may wait for the writer; beyond, new ones are dropped and counted."""

FILE_BYTES = 10 << 20
FILE_COUNT = 5
"""A log file is rotated at FILE_BYTES, and FILE_COUNT old ones are kept."""

MASK = "***"

_VALUE = r"""[^\s"'\\&,;<>(){}\[\]]+"""
_COLON = r"""\\?["']?\s*[:=,]\s*(?:b?\\?["'])?"""
_SECRETS = [
    re.compile(pattern)
    for pattern in (
        # Google's own prefixes: API keys, authorisation keys, OAuth access tokens.
        r"(AIza|(?<![A-Za-z0-9])(?:AQ|ya29)\.)[\w.-]{8,}",
        rf"(?i)((?:\b|%3F|%26)(?:key|api_key|access_token)(?:=|%3D)){_VALUE}",
        rf"(?i)(\bbearer\s+){_VALUE}",
        # A header in any notation: HTTP, JSON, the repr of a pair or of a dict.
        rf"(?i)((?:x-goog-api-key|authorization){_COLON}(?:(?:basic|bearer)\s+)?){_VALUE}",
        r"(://)[^\s/\"']+(?=@)",
    )
]
_SECRET_NAMES = {
    "access_token",
    "api_key",
    "authorization",
    "cookie",
    "key",
    "proxy_authorization",
    "x_goog_api_key",
}
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def new_request_id() -> str:
    """Return a UUID of version 7 as 32 hex digits: later ones sort after earlier ones."""
    milliseconds = time.time_ns() // 1_000_000
    fields = milliseconds << 80 | secrets.randbits(80)
    fields = fields & ~(0xF << 76) | 0x7 << 76  # version, RFC 9562 section 5.7
    fields = fields & ~(0x3 << 62) | 0x2 << 62  # variant
    return uuid.UUID(int=fields).hex


def sane_request_id(value: str | None) -> str | None:
    """Return a client's own request id, or None where it is none that may be passed on."""
    return value if value is not None and _REQUEST_ID.fullmatch(value) else None


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a key, token or password masked."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def _redact_value(name: object, value: object) -> object:
    """Return an extra field's value as plain data without secrets."""
    if isinstance(name, str) and name.lower().replace("-", "_") in _SECRET_NAMES:
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(key)): _redact_value(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(None, item) for item in value]
    return redact(str(value))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a wrong format must not cost the record
        return f"{record.msg} {record.args!r}"


def _finish(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of ``record`` that holds text only: nothing to mask, nothing to mutate."""
    done = copy.copy(record)
    done.msg, done.args = redact(_message(record)), None
    if record.exc_info and not record.exc_text:
        done.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    done.exc_info = None
    done.exc_text = redact(done.exc_text) if done.exc_text else None
    done.stack_info = redact(done.stack_info) if done.stack_info else None
    extras = merge_record_extra(record, {}, reserved=RESERVED_ATTRS)
    done.__dict__.update({name: _redact_value(name, value) for name, value in extras.items()})
    return done


def add_request_id(record: logging.LogRecord) -> bool:
    """Put the context's request id on the record; a filter that lets everything pass.

    It belongs on the handler that the logging thread calls: the writer has no context.
    """
    request_id = request_id_var.get()
    if request_id is not None and not hasattr(record, "request_id"):
        record.request_id = request_id
    return True


class Handover(QueueHandler):
    """Finishes records in the thread that logs and hands them to the writer."""

    def __init__(self, records: "SimpleQueue[Any]") -> None:
        super().__init__(records)
        self._records = records
        self._dropped = 0
        self.addFilter(add_request_id)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the finished record; the stock method melts the traceback into the message."""
        return _finish(record)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record, or count it when the writer is too far behind."""
        if self._records.qsize() >= QUEUE_LIMIT:
            self._dropped += 1
            return
        if self._dropped:
            self._records.put(self._gap())
            self._dropped = 0
        self._records.put(record)

    def _gap(self) -> logging.LogRecord:
        message = f"{self._dropped} log records were dropped: the log could not be written in time"
        return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)


class TextFormatter(logging.Formatter):
    """Lines for a terminal; extra fields follow the message as ``name=value``."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)-8s %(name)s [%(request_id)s] %(message)s",
            defaults={"request_id": "-"},
        )

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name logging calls)
        """Return the line; control characters are escaped, so that no record forges another."""
        extras = merge_record_extra(record, {}, reserved=[*RESERVED_ATTRS, "request_id"])
        fields = [record.message, *(f"{name}={value}" for name, value in extras.items())]
        record.message = " ".join(fields).translate(_CONTROL)
        return super().formatMessage(record)


def _formatter(style: str) -> logging.Formatter:
    if style == "text":
        return TextFormatter()
    return JsonFormatter(
        ["timestamp", "levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
    )


def _writers(style: str, file: str, stream: TextIO) -> list[logging.Handler]:
    writers: list[logging.Handler] = [logging.StreamHandler(stream)]
    if file:
        writers.append(
            RotatingFileHandler(
                file, maxBytes=FILE_BYTES, backupCount=FILE_COUNT, encoding="utf-8", delay=True
            )
        )
    for writer in writers:
        writer.setFormatter(_formatter(style))
    return writers


def configure(
    *,
    level: str = "info",
    style: str = "json",
    file: str = "",
    debug_mode: bool = False,
    stream: TextIO | None = None,
) -> Callable[[], None]:
    """Send the records of the whole process to ``stream`` (standard error) and to ``file``.

    ``level`` is the least severe level by name, which ``debug_mode`` overrides; ``style``
    is json or text; an empty ``file`` is none. Returns what undoes it: it writes what is
    queued, and may be called more than once.
    """
    root = logging.getLogger()
    records: SimpleQueue[Any] = SimpleQueue()
    handover = Handover(records)
    writers = _writers(style, file, stream or sys.stderr)
    listener = QueueListener(records, *writers)
    undo = ExitStack()
    for writer in writers:
        undo.callback(writer.close)
    listener.start()
    undo.callback(listener.stop)
    undo.callback(root.setLevel, root.level)
    root.setLevel("DEBUG" if debug_mode else level.upper())
    undo.callback(root.removeHandler, handover)
    root.addHandler(handover)
    return undo.close
