"""One request to Gemini, as the list of what runs and the story of a request both tell it.

A request has several attempts where keys were refused, where it was asked again, and where an
answer broke and the rest of it was asked for. All are figures and words of fixed vocabularies:
nothing here has a key or content.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from gemproxy.admin.route import Form
from gemproxy.exchange.account import Entry, word_of
from gemproxy.ledger.row import Try


class Attempt(Form, frozen=True):
    """One request to Gemini.

    ``cause`` is why it broke off, so that another one was wanted. ``form`` is how it was asked:
    empty as the client asked, ``replay`` the same once more, ``native`` with Gemini's own token,
    else a form in which the rest of a text is asked for; then its answer should begin with the last
    ``anchor`` characters. ``characters`` are those that the client got of it.
    """

    number: Annotated[int, msgspec.Meta(description="Its place, from 1")]
    key: Annotated[str, msgspec.Meta(description="The fingerprint of its Gemini key")]
    project: Annotated[str, msgspec.Meta(description="The project of its key")]
    status: Annotated[
        int | None, msgspec.Meta(description="The HTTP status of its answer, null without one")
    ]
    running: Annotated[bool, msgspec.Meta(description="Whether it has not ended yet")]
    how: Annotated[
        str,
        msgspec.Meta(description="How its answer ended, such as eof, reset or stalled; or empty"),
    ]
    cause: Annotated[str | None, msgspec.Meta(description="Why it broke off, null if it did not")]
    form: Annotated[str, msgspec.Meta(description="How it was asked, empty for as the client did")]
    anchor: Annotated[
        int, msgspec.Meta(description="Characters that its answer was asked to begin with")
    ]
    joint: Annotated[str, msgspec.Meta(description="How its text was joined to the text before")]
    characters: Annotated[int, msgspec.Meta(description="Characters of it that the client got")]
    dropped: Annotated[
        int, msgspec.Meta(description="Characters of it that the client did not get")
    ]
    swallowed: Annotated[
        int, msgspec.Meta(description="Characters of thoughts that the client did not get")
    ]
    bytes: Annotated[int, msgspec.Meta(description="Bytes of its answer")]
    began_ms: Annotated[
        int, msgspec.Meta(description="Milliseconds from the request's beginning to its own")
    ]
    answered_ms: Annotated[
        int | None,
        msgspec.Meta(description="Milliseconds to the head of its answer, null without one"),
    ]
    milliseconds: Annotated[int, msgspec.Meta(description="How long it took, or has taken so far")]
    seam_ms: Annotated[
        int, msgspec.Meta(description="Milliseconds for which its text was held to be joined")
    ]
    prompt_tokens: Annotated[int, msgspec.Meta(description="Tokens of its prompt")]
    output_tokens: Annotated[int, msgspec.Meta(description="Tokens of answers")]
    thought_tokens: Annotated[int, msgspec.Meta(description="Tokens of thoughts")]


def kept(tries: Iterable[Try]) -> list[Attempt]:
    """Return the attempts of a request as the ledger keeps them."""
    return [_kept(number, one) for number, one in enumerate(tries, 1)]


def _kept(number: int, one: Try) -> Attempt:
    names = (name for name in Attempt.__struct_fields__ if hasattr(one, name))
    fields = {name: getattr(one, name) for name in names}
    return Attempt(**fields | {"number": number, "running": False, "cause": one.cause or None})


def under_way(entries: Iterable[Entry], began: float, clock: float) -> list[Attempt]:
    """Return the attempts of a request that runs; times are those of the monotonic clock."""
    return [_under_way(number, one, began, clock) for number, one in enumerate(entries, 1)]


def _under_way(number: int, entry: Entry, began: float, clock: float) -> Attempt:
    ended = clock if entry.ended is None else entry.ended
    usage, answered = entry.usage, entry.answered
    return Attempt(
        number=number,
        key=entry.key,
        project=entry.project,
        status=entry.status,
        running=entry.ended is None,
        how=word_of(entry.how),
        cause=word_of(entry.cause) or None,
        form=entry.asked,
        anchor=entry.anchor,
        joint=word_of(entry.joint),
        characters=entry.characters or 0,
        dropped=entry.dropped,
        swallowed=entry.swallowed,
        bytes=entry.bytes,
        began_ms=_ms(entry.began - began),
        answered_ms=None if answered is None else _ms(answered - entry.began),
        milliseconds=_ms(ended - entry.began),
        seam_ms=_ms(entry.seam),
        prompt_tokens=0 if usage is None else usage.prompt,
        output_tokens=0 if usage is None else usage.output,
        thought_tokens=0 if usage is None else usage.thoughts,
    )


def _ms(seconds: float) -> int:
    return max(round(seconds * 1000), 0)
