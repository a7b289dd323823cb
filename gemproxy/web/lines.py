"""Writes the access log: a line for each request, and for each generation that none holds."""

import logging

from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.line import line

_access = logging.getLogger("gemproxy.access")


def write_line(
    exchange: Exchange, status: int, size: int, seconds: float, level: int = logging.INFO
) -> None:
    """Write the line of an exchange: its status, its bytes and its duration."""
    if not _access.isEnabledFor(level):
        return
    message = f"{exchange.method} {exchange.raw_path} {status}"
    # Logger.log would search the stack for this line of code, which is always this one.
    record = logging.LogRecord(_access.name, level, __file__, 0, message, None, None)
    record.__dict__.update(line(exchange, status, size, seconds))
    _access.handle(record)
