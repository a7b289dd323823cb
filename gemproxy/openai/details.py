"""``detail`` of pictures, as ``mediaResolution`` of a whole request.

Gemini's field holds for all media of a request, and the one for a single part is no part of v1beta.
So it is set only where all media are pictures that ask for the same. Models that answer with
pictures, and those before Gemini 2, take no such field
(https://ai.google.dev/gemini-api/docs/media-resolution).
"""

from gemproxy.core.errors import BadField
from gemproxy.openai.content import PICTURES, files_in
from gemproxy.shaping.family import Family

_RESOLUTIONS = {
    "low": "MEDIA_RESOLUTION_LOW",
    "high": "MEDIA_RESOLUTION_HIGH",
    "original": "MEDIA_RESOLUTION_HIGH",
    "auto": None,
}
_FIRST = (2, 0)


def resolution(messages: object, family: Family) -> str | None:
    """Return the mediaResolution for a request, None for the model's own.

    Raises BadField for a detail that is none of OpenAI's.
    """
    found: set[str | None] = set()
    for shown in files_in(messages):
        asked = _asked(shown.detail, shown.at.removesuffix(".url"))
        found.add(asked if shown.kind in PICTURES else None)
    if family.version < _FIRST or family.draws or len(found) != 1:
        return None
    return found.pop()


def _asked(detail: object, at: str) -> str | None:
    if detail is None:
        return None
    if not isinstance(detail, str) or detail not in _RESOLUTIONS:
        raise BadField(f"{at}.detail", f"must be one of {', '.join(_RESOLUTIONS)}")
    return _RESOLUTIONS[detail]
