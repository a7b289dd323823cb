"""``detail`` of pictures, as ``mediaResolution`` of a whole request.

Gemini's field holds for all media of a request, and the one for a single part is no part of v1beta.
So it is set only where all media are pictures that ask for the same. Models that answer with
pictures, and those before Gemini 2, take no such field
(https://ai.google.dev/gemini-api/docs/media-resolution).
"""

from gemproxy.core.errors import BadField
from gemproxy.openai.content import files_in
from gemproxy.shaping.family import Family

_RESOLUTIONS = {
    "low": "MEDIA_RESOLUTION_LOW",
    "high": "MEDIA_RESOLUTION_HIGH",
    "original": "MEDIA_RESOLUTION_HIGH",
    "auto": None,
}
_PICTURES = ("image_url", "input_image")
_FIRST = (2, 0)


def resolution(messages: object, family: Family) -> str | None:
    """Return the mediaResolution for a request, None for the model's own.

    Raises BadField for a detail that is none of OpenAI's.
    """
    found: set[str | None] = set()
    for kind, _, detail in files_in(messages):
        if detail is not None and (not isinstance(detail, str) or detail not in _RESOLUTIONS):
            raise BadField("messages", f"has a detail that is none of {', '.join(_RESOLUTIONS)}")
        asked = _RESOLUTIONS[detail] if isinstance(detail, str) else None
        found.add(asked if kind in _PICTURES else None)
    if family.version < _FIRST or family.draws or len(found) != 1:
        return None
    return found.pop()
