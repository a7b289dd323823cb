"""Pictures, sound, video and files of an OpenAI request, as parts of a Gemini request."""

import attrs


@attrs.frozen
class Picture:
    """What a URL of a request gave: its bytes, and the type that its server named, if any."""

    data: bytes = attrs.field(repr=False)
    mime: str = ""
