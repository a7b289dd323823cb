"""Log records: one line each, with the request's id, without keys, off the event loop.

The thread that logs finishes the record: it converts message and traceback to text, masks keys in
them, and adds the request's id. A queue in memory passes the record to the writer thread, which
formats and writes it. So a slow disk or terminal never stops a stream, and no formatter sees a
secret.

A secret is recognised by its form or by its name, even if it is percent-encoded several times. The
access keys of the settings have any form, so ``masking`` is given them.

The writer thread batches: it collects records for 20 ms and writes them at once. A thread that
wakes for every line would take the interpreter from the event loop thousands of times a second.
"""

import contextvars
import fcntl
import functools
import json
import logging
import os
import random
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

import attrs
from pythonjsonlogger.core import RESERVED_ATTRS, LogData, merge_record_extra
from pythonjsonlogger.msgspec import MsgspecFormatter

from gemproxy.observe import libraries

request_id_var: contextvars.ContextVar[str | None] = contextvars.ContextVar(
    "request_id", default=None
)
"""The id of the request that the current context serves."""

QUEUE_LIMIT = 10_000
"""Most records that may wait for the writer; further ones are dropped and counted."""

SPELL_SECONDS = 0.02
"""Seconds for which the writer collects records, which delays a line by as much."""

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
        # Our own prefix of access keys.
        r"((?<![A-Za-z0-9])gp-)[\w.-]{8,}",
        # The name of a Live ephemeral token is the token itself.
        rf"(?i)(\bauth_?tokens/){_VALUE}",
        rf"(?i)(\b(?:api_?key|key|(?:access_|auth_|id_|oauth_|refresh_)?token)=){_VALUE}",
        rf"(?i)(\bbearer\s+){_VALUE}",
        # A header in any notation: HTTP, JSON, the repr of a pair or of a dict.
        rf"(?i)((?:(?:x-)?(?:goog-)?api-key|authorization){_COLON}(?:(?:basic|bearer|token)\s+)?){_VALUE}",
        r"(://)[^\s/\"']+(?=@)",
        # The name of a kept picture is all that is needed to see it.
        r"(\bimages/)[0-9a-f]{32}",
        r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]+",
    )
]
_SIGNS = (
    "key",
    "token",
    "bearer",
    "authorization",
    "://",
    "aiza",
    "aq.",
    "ya29.",
    "gp-",
    "images/",
    "%",
)
"""Every secret contains one of these; most texts contain none."""

_known: tuple[str, ...] = ()
"""Secrets that are masked wherever they are, the longest first."""

_ENCODED = re.compile(r"(?<!\S)[^\s%]*%\S*")
"""A word that may be percent-encoded; matched only at the beginning of a word."""
_PAIR = re.compile(rb"%([0-9A-Fa-f]{2})")
_AGAIN = re.compile(rb"%(?:25)+(?=[0-9A-Fa-f]{2})")
"""A percent sign, encoded any number of times."""
_MOST_ROUNDS = 6
"""Most rounds of decoding. Each round after the first shrinks nested encodings to a third."""

_SECRET_NAMES = {
    "access_token",
    "api_key",
    "authorization",
    "cookie",
    "key",
    "proxy_authorization",
    "x_goog_api_key",
}
_HARMLESS = frozenset({bool, int, float, type(None)})
_RESERVED = frozenset(RESERVED_ATTRS)
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}
_REQUEST_ID = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9._-]{1,128}")
"""A client's own; a dot or two would lead elsewhere in a URL that ends with it."""


# The system's random source costs a system call, and a guessed request id gains nothing.
_dice = random.Random()  # noqa: S311 (the reason above)


def new_request_id() -> str:
    """Return a UUID of version 7 as 32 hex digits: later ones sort after earlier ones."""
    milliseconds = time.time_ns() // 1_000_000
    fields = milliseconds << 80 | _dice.getrandbits(80)
    fields = fields & ~(0xF << 76) | 0x7 << 76  # version, RFC 9562 section 5.7
    fields = fields & ~(0x3 << 62) | 0x2 << 62  # variant
    return f"{fields:032x}"


def sane_request_id(value: str | None) -> str | None:
    """Return a client's own request id, or None if it must not be passed on."""
    return value if value is not None and _REQUEST_ID.fullmatch(value) else None


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a key, token or password masked."""
    if _looks_secret(text):
        text = _masked(_ENCODED.sub(_decoded_where_secret, text) if "%" in text else text)
    return text


def _masked(text: str) -> str:
    for secret in _known:
        text = text.replace(secret, MASK)
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{MASK}", text)
    return text


def _decoded_where_secret(found: re.Match[str]) -> str:
    """Return a percent-encoded word; decoded and masked if it contains a secret."""
    word = found[0]
    raw = word.encode("utf-8", "surrogatepass")
    for _ in range(_MOST_ROUNDS):
        before, raw = raw, _PAIR.sub(_byte, _AGAIN.sub(b"%", raw))
        if raw == before:
            break
    else:
        return MASK  # only a hidden secret is encoded so often
    decoded = raw.decode("utf-8", "replace")
    masked = _masked(decoded)
    return word if masked == decoded else masked


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode("ascii"))


class Unsaid(Exception):
    """Replaces in the log an exception whose text may come from a client; has its class."""


def unsaid(error: BaseException) -> Unsaid:
    """Return ``error`` and its causes for the log: only their classes and tracebacks."""
    stand_in = Unsaid(type(error).__qualname__).with_traceback(error.__traceback__)
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        stand_in.__cause__ = unsaid(before)
    return stand_in


def _looks_secret(text: str) -> bool:
    lower = text.lower()
    for sign in _SIGNS:
        if sign in lower:
            return True
    for secret in _known:  # noqa: SIM110 (any() takes three times as long)
        if secret in text:
            return True
    return False


def _redact_value(name: object, value: object) -> object:
    """Return an extra field's value as plain data without secrets."""
    if isinstance(name, str) and _names_a_secret(name):
        return MASK
    if type(value) in _HARMLESS:
        return value
    if type(value) is str:  # the rest is slow, and most values are text
        return redact(value)
    if isinstance(value, Mapping):
        return _redact_items({redact(str(key)): item for key, item in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(None, item) for item in value]
    return redact(str(value))


def _redact_items(items: dict[str, object]) -> dict[str, object]:
    """Return extra fields as ``_redact_value`` does; plain figures need no call."""
    return {
        name: value
        if type(value) in _HARMLESS and not _names_a_secret(name)
        else _redact_value(name, value)
        for name, value in items.items()
    }


@functools.lru_cache
def _names_a_secret(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_NAMES


@functools.lru_cache
def _name_a_secret(names: tuple[str, ...]) -> bool:
    return any(map(_names_a_secret, names))


@functools.lru_cache
def _look_secret(names: tuple[object, ...]) -> bool:
    return not all(isinstance(name, str) and not _looks_secret(name) for name in names)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a wrong format must not cost the record
        return f"{record.msg} {record.args!r}"


def _finish(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of ``record`` with masked text only, which nothing mutates later."""
    done = logging.LogRecord.__new__(logging.LogRecord)
    done.__dict__.update(record.__dict__)
    done.msg, done.args = redact(_message(record)), None
    if record.exc_info and not record.exc_text:
        done.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    done.exc_info = None
    done.exc_text = redact(done.exc_text) if done.exc_text else None
    done.stack_info = redact(done.stack_info) if done.stack_info else None
    fields = record.__dict__.items()
    extras = {name: value for name, value in fields if name not in _RESERVED}
    if not _harmless(extras):
        done.__dict__.update(_redact_items(extras))
    return done


def _harmless(extras: Mapping[str, object]) -> bool:
    """Return whether extra fields hold no secret; one search covers all of them."""
    texts: list[str] = []
    for value in extras.values():
        if type(value) is str:
            texts.append(value)
        elif type(value) is dict:
            if _look_secret(tuple(value)) or not _harmless(value):
                return False
        elif type(value) is list:
            for item in value:
                if type(item) is str:
                    texts.append(item)
                elif type(item) not in _HARMLESS:
                    return False
        elif type(value) not in _HARMLESS:
            return False
    return not (_looks_secret("\n".join(texts)) or _name_a_secret(tuple(extras)))


def add_request_id(record: logging.LogRecord) -> bool:
    """Add the context's request id to the record; a filter that passes every record.

    It belongs on the handler that the logging thread calls, because the writer has no context.
    """
    request_id = request_id_var.get()
    if request_id is not None and not hasattr(record, "request_id"):
        record.request_id = request_id
    return True


class Handover(QueueHandler):
    """Finishes records in the thread that logs and passes them to the writer."""

    def __init__(self, records: "SimpleQueue[Any]") -> None:
        super().__init__(records)
        self._records = records
        self._dropped = 0
        self.addFilter(add_request_id)

    def handle(self, record: logging.LogRecord) -> bool:
        """Handle a record; replace that of a library."""
        kept = libraries.replaced(record)
        wanted = kept is record or (kept and logging.getLogger().isEnabledFor(kept.levelno))
        return bool(kept and wanted and super().handle(kept))

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the finished record; the stock method merges the traceback into the message."""
        return _finish(record)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record, or count it as dropped if the queue is full."""
        if self._records.qsize() >= QUEUE_LIMIT:
            self._dropped += 1
            return
        if self._dropped:
            self._records.put(self._gap())
            self._dropped = 0
        self._records.put(record)

    def _gap(self) -> logging.LogRecord:
        message = f"{self._dropped} log records were dropped: the log could not be written in time"
        return _own_record(logging.WARNING, message)


@attrs.define(eq=False)
class _Lines:
    """A text stream that collects its input; ``pass_on`` writes it as one text."""

    _stream: TextIO
    _gathered: list[str] = attrs.field(factory=list)

    def write(self, text: str) -> None:
        """Collect ``text``."""
        self._gathered.append(text)

    def pass_on(self) -> None:
        """Write the collected text; drop it if it cannot be written."""
        text = "".join(self._gathered)
        self._gathered.clear()
        with suppress(OSError, ValueError):  # ValueError: the stream is closed
            self._stream.write(text)
            self._stream.flush()


class _Writer(QueueListener):
    """Writes records in batches, in a thread of its own."""

    def __init__(
        self, records: "SimpleQueue[Any]", lines: _Lines, *handlers: logging.Handler
    ) -> None:
        super().__init__(records, *handlers)
        self._records = records
        self._lines = lines
        self._stopping = threading.Event()

    def dequeue(self, block: bool) -> logging.LogRecord:  # noqa: FBT001 (the name logging calls)
        """Return the next record; if the queue was empty, wait until more have come."""
        if not self._records.empty():
            return self._taken(block)
        self._lines.pass_on()
        record = self._taken(block)
        self._stopping.wait(SPELL_SECONDS)
        return record

    def enqueue_sentinel(self) -> None:
        """Ask the thread to end at once."""
        self._stopping.set()
        super().enqueue_sentinel()

    def stop(self) -> None:
        """Write the queued records, and end the thread."""
        super().stop()
        self._lines.pass_on()

    def _taken(self, block: bool) -> logging.LogRecord:  # noqa: FBT001 (as above)
        record: logging.LogRecord = self._records.get(block)
        return record


class _LogFile(RotatingFileHandler):
    """A file that may fail: lost records are reported once to the handler ``beside``.

    The stock handler prints a traceback for each record, and raises when it is closed.

    Several workers may share the file. Each record is written, and the file rotated, under a lock
    of the open file. A worker that finds another file at the path afterwards has the one that was
    rotated meanwhile, and opens the new one.
    """

    def __init__(self, file: str, beside: logging.Handler) -> None:
        super().__init__(
            file, maxBytes=FILE_BYTES, backupCount=FILE_COUNT, encoding="utf-8", delay=True
        )
        self._beside = beside
        self._failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            held = self._locked()
        except OSError:
            self.handleError(record)
            return
        try:
            super().emit(record)
        finally:
            if not held.closed:  # a rotation closes it
                with suppress(OSError):
                    fcntl.flock(held, fcntl.LOCK_UN)

    def _locked(self) -> TextIO:
        """Return the open file at the path, locked where the file system has locks."""
        while True:
            stream = self.stream = self.stream or self._open()
            with suppress(OSError):
                fcntl.flock(stream, fcntl.LOCK_EX)
            if self._is_current(stream):
                return stream
            stream.close()
            self.stream = None

    def _is_current(self, stream: TextIO) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(stream.fileno()), Path(self.baseFilename).stat())
        return False

    def _open(self) -> Any:  # noqa: ANN401 (the library's own type)
        """Open the file, and make its folder first."""
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name logging calls)
        """Report once that records get lost."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._failing:
            self._failing = True
            self._beside.handle(_own_record(logging.ERROR, f"the log file fails: {error.strerror}"))

    def flush(self) -> None:
        """Write the buffered records; if the disk accepts them, it has recovered."""
        super().flush()
        self._failing = False

    def close(self) -> None:
        """Close the file, and ignore errors of its disk."""
        with suppress(OSError):
            super().close()


def _own_record(level: int, message: str) -> logging.LogRecord:
    """Return a record of the log about itself."""
    return logging.LogRecord(__name__, level, __file__, 0, message, None, None)


class TextFormatter(logging.Formatter):
    """Lines for a terminal; extra fields follow the message as ``name=value``."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)-8s %(name)s [%(request_id)s] %(message)s",
            defaults={"request_id": "-"},
        )

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name logging calls)
        """Return the line, with control characters escaped, so no record can forge another.

        Half of a surrogate pair, from a path, is escaped too, because it cannot be encoded.
        """
        extras = merge_record_extra(record, {}, reserved=_RESERVED | {"request_id"})
        fields = [record.message, *(f"{name}={value}" for name, value in extras.items())]
        record.message = " ".join(fields).translate(_CONTROL)
        line = super().formatMessage(record)
        return line if line.isascii() else line.encode("utf-8", "backslashreplace").decode("utf-8")


class JSONFormatter(MsgspecFormatter):
    """Lines of JSON in ASCII, which contain no control sequences for a terminal."""

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Return the line."""
        with suppress(UnicodeEncodeError):  # half a surrogate pair, from a path
            line = super().jsonify_log_record(log_data)
            if line.isascii():
                return line
        return json.dumps(log_data, default=str)


def _formatter(style: str) -> logging.Formatter:
    if style == "text":
        return TextFormatter()
    return JSONFormatter(
        ["timestamp", "levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
    )


def _writers(style: str, file: str, lines: _Lines) -> list[logging.Handler]:
    shown = logging.StreamHandler(lines)
    writers: list[logging.Handler] = [shown]
    if file:
        writers.append(_LogFile(file, beside=shown))
    for writer in writers:
        writer.setFormatter(_formatter(style))
    return writers


@contextmanager
def masking(secrets: Iterable[str]) -> Iterator[None]:
    """Mask ``secrets`` in every record that is logged while this is entered."""
    global _known  # noqa: PLW0603 (the log is one of the whole process)
    before = _known
    _known = tuple(sorted(filter(None, secrets), key=len, reverse=True))
    try:
        yield
    finally:
        _known = before


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
    is json or text; an empty ``file`` means none. Returns a function that undoes this after
    writing the queued records; it may be called more than once.
    """
    root = logging.getLogger()
    records: SimpleQueue[Any] = SimpleQueue()
    handover = Handover(records)
    lines = _Lines(stream or sys.stderr)
    writers = _writers(style, file, lines)
    writer = _Writer(records, lines, *writers)
    undo = ExitStack()
    for handler in writers:
        undo.callback(handler.close)
    writer.start()
    undo.callback(writer.stop)
    undo.callback(root.setLevel, root.level)
    root.setLevel("DEBUG" if debug_mode else level.upper())
    undo.callback(root.removeHandler, handover)
    root.addHandler(handover)
    return undo.close
