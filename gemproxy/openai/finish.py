"""Why an answer ended, in OpenAI's words.

OpenAI has five: ``stop``, ``length``, ``content_filter``, ``tool_calls`` and ``function_call``. A
call that went out decides alone: clients run it only behind its own word, and Gemini says STOP.
The others follow from a table of Gemini's words. ``FAILURES`` are endings for which none of the
five is right: the model did not finish, for no reason of length or policy. The repair asks again
for such an answer; where it stays so, the answer fails (``Policy.failures``).

Source: FinishReason and BlockReason in https://ai.google.dev/api/generate-content.
"""

from collections.abc import Mapping

from gemproxy.core.repair.verdict import is_policy

STOP, LENGTH, FILTERED = "stop", "length", "content_filter"

WORDS: Mapping[str, str] = {
    "STOP": STOP,
    "MAX_TOKENS": LENGTH,
    "TOO_MANY_TOOL_CALLS": LENGTH,  # a loop of Google's own tools was stopped
    "CONTINUATION": LENGTH,  # a limit of one call, where going on was not possible
    "RECITATION": FILTERED,
    "LANGUAGE": FILTERED,
    "NO_IMAGE": STOP,
    "IMAGE_OTHER": STOP,
}
"""finishReason -> finish_reason. A decision about content is ``content_filter``."""

FAILURES = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "MISSING_THOUGHT_SIGNATURE",
    }
)
"""finishReasons that end an answer with an error."""


def finish_reason(native: str, *, called: bool, legacy: bool, said: bool) -> str:
    """Return the finish_reason for Gemini's word ``native``.

    ``called``: a call went out, ``legacy``: as ``function_call``. ``said``: there is something to
    see. A word that nobody knows is ``stop``; so is OTHER, but for an answer that is empty.
    """
    if called:
        return "function_call" if legacy else "tool_calls"
    if native in WORDS:
        return WORDS[native]
    if is_policy(native) or (native == "OTHER" and not said):
        return FILTERED
    return STOP
