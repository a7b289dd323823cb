"""Names that outputs may show: those of users and of projects."""

import re

from gemproxy.observe.logs import redact

NAME = re.compile(r"[^\W_][\w .@-]{0,63}")


def is_name(name: str) -> bool:
    """Return whether a text can name a user; a text that looks like a key cannot."""
    return bool(NAME.fullmatch(name)) and name == name.strip() and redact(name) == name
