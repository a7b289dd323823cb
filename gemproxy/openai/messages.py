"""Messages of an OpenAI request, as contents and systemInstruction of a Gemini request."""

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import Json, a_list, a_text, an_object

_ROLES = {"user": "user", "assistant": "model"}
_SYSTEM = ("system", "developer")


@attrs.frozen
class Spoken:
    """What was said so far; ``system`` has the texts in front of the conversation."""

    contents: list[Json]
    system: list[str]


def spoken(messages: object) -> Spoken:
    """Return the contents of ``messages``; raise BadField for what cannot be translated."""
    system: list[str] = []
    contents: list[Json] = []
    for number, message in enumerate(a_list(messages, "messages")):
        at = f"messages[{number}]"
        role = an_object(message, at).get("role")
        text = a_text(message.get("content"), f"{at}.content")
        if role in _SYSTEM and not contents:
            system.append(text)
        elif role in (*_SYSTEM, *_ROLES):
            contents.append({"role": _ROLES.get(role, "user"), "parts": [{"text": text}]})
        else:
            raise BadField(f"{at}.role", "is no role that this route knows")
    if not contents:
        contents = [{"role": "user", "parts": [{"text": text}]} for text in system]
        system = []
    if not contents:
        raise BadField("messages", "must not be empty")
    return Spoken(contents, system)
