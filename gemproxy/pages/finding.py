"""Finds the id of a request in what somebody pastes: the id, a line of the log, an error, a header.

A line of the log names it ``"request_id"`` in JSON and has it in brackets as text
(``observe.logs``); an error has it in its details, an answer in the header ``X-Request-Id``. What
stands before or behind it does not matter, so a line may come from the log of a container.
"""

import re

MOST = 5
"""Candidates that are looked for."""

_ID = r"[A-Za-z0-9._-]{1,128}"
_WHOLE = re.compile(_ID)
_QUOTE = r"(?:\\*[\"'])?"
_NAMED = re.compile(rf"request[ _-]?id{_QUOTE}\s*[:=]\s*{_QUOTE}({_ID})", re.IGNORECASE)
_BRACKETED = re.compile(rf"\[({_ID})\]")
_OURS = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def ids_in(text: str) -> list[str]:
    """Return what may be the id of a request, the likeliest first."""
    text = text.strip()
    found = [text] if _WHOLE.fullmatch(text) else []
    for pattern in (_NAMED, _BRACKETED, _OURS):
        found += pattern.findall(text)
    return [one for one in dict.fromkeys(found) if one != "-"][:MOST]
