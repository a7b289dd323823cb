"""Parts that are neither text nor calls, in the forms in which OpenAI's clients get them.

- A picture is an entry of ``images``, as OpenRouter and LiteLLM have it, for OpenAI has no pictures
  in chat answers.
- Sound is ``audio``, with the bytes as Gemini gives them: its speech models give 16-bit PCM at
  24 kHz, which OpenAI calls ``pcm16``. ``mime_type`` says so. It has no transcript.
- Any other data is an entry of ``files``, in the form in which OpenAI takes files.
- Code that Google ran, and its output, are fenced text.
"""

import re
from collections.abc import Mapping
from typing import Any

from gemproxy.openai.signatures import signed

Json = dict[str, Any]
Part = Mapping[str, Any]

_TICKS = re.compile(r"`{3,}")


def data_url(blob: Part) -> str:
    """Return the data URL of an inlineData."""
    return f"data:{mime_type(blob)};base64,{blob.get('data') or ''}"


def mime_type(blob: Part) -> str:
    """Return the type of an inlineData."""
    kind = blob.get("mimeType")
    return kind if isinstance(kind, str) and kind else "application/octet-stream"


def picture(url: str, index: int, signature: str | None = None) -> Json:
    """Return the entry of ``images`` for a picture."""
    entry: Json = {"type": "image_url", "image_url": {"url": url}, "index": index}
    return entry if signature is None else {**entry, "extra_content": signed(signature)}


def file(url: str, index: int) -> Json:
    """Return the entry of ``files`` for other data."""
    return {"type": "file", "file": {"file_data": url}, "index": index}


def in_markdown(url: str, before: str) -> str:
    """Return a picture as Markdown, as a paragraph behind the text ``before``."""
    return f"{_gap(before)}![image]({url})\n\n"


def code(part: Part) -> str | None:
    """Return the code of an executableCode or the output of a codeExecutionResult; else None."""
    ran, result = part.get("executableCode"), part.get("codeExecutionResult")
    if isinstance(ran, dict):
        language = str(ran.get("language") or "").lower()
        name = "" if language == "language_unspecified" else language
        return _fenced(str(ran.get("code") or ""), name)
    if isinstance(result, dict):
        return _fenced(str(result.get("output") or ""), "")
    return None


def behind(text: str, before: str) -> str:
    """Return a block of text as a paragraph behind the text ``before``."""
    return _gap(before) + text


def _gap(before: str) -> str:
    if not before or before.endswith("\n\n"):
        return ""
    return "\n" if before.endswith("\n") else "\n\n"


def _fenced(text: str, language: str) -> str:
    """Return a fenced block; its fence is longer than any in the text."""
    longest = max(map(len, _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n\n"
