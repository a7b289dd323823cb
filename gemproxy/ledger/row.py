"""A row of the ledger: one generation, from its start to its end.

The row is put when a generation begins, and put again, whole, when it is settled. Times are Unix
times in milliseconds, durations milliseconds, money nano-dollars. Money is None where the model has
no price.
"""

import enum

import attrs
import msgspec


class Ending(enum.Enum):
    """How a generation ended; the row of one that runs has none."""

    DONE = "done"
    FAILED = "failed"
    CLIENT_LEFT = "client_left"
    SHUTDOWN = "shutdown"
    LOST = "lost"
    """The process died, and the row was found unfinished."""


@attrs.frozen
class Try:
    """One attempt of a generation; see ``exchange.account.Entry``, of which it is made.

    A generation keeps them if there are several, or if its one broke off. ``cause`` is why the
    attempt broke off, so that another one was wanted; empty if it did not. ``form`` is how it was
    asked: a form of continuation, or another plan than the first; ``how`` is how its answer ended.
    ``characters`` are those that the client got of it, ``dropped`` those that it did not, and
    ``swallowed`` those of thoughts. ``began_ms`` counts from the beginning of the generation,
    ``answered_ms`` from that of the attempt.
    """

    key: str
    status: int | None
    cause: str
    form: str
    joint: str
    milliseconds: int
    bytes: int
    prompt_tokens: int
    output_tokens: int
    thought_tokens: int
    project: str = ""
    how: str = ""
    anchor: int = 0
    characters: int = 0
    dropped: int = 0
    swallowed: int = 0
    seam_ms: int = 0
    began_ms: int = 0
    answered_ms: int | None = None


class Row(msgspec.Struct, frozen=True):
    """One generation.

    ``serial`` is unique and grows with time; ``request_id`` is the one of the log, which a client
    may choose. ``user`` is the name of the access key, empty for a client with its own Gemini key.
    ``key`` and ``project`` are those of the last attempt. The tokens and the money without
    ``extra`` or ``operator`` are the user's; the others are what repair cost beyond that.
    ``estimated``: the tokens were not reported in full. ``injected``: the operator's prompt was in
    the request. ``calls`` counts the attempts that an undisturbed answer takes.
    """

    serial: int
    request_id: str
    started: int
    user: str = ""
    model: str = ""
    route: str = ""
    dialect: str = ""
    ending: Ending | None = None
    status: int = 0
    project: str = ""
    key: str = ""
    attempts: int = 0
    repairs: int = 0
    characters: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    extra_input_tokens: int = 0
    extra_output_tokens: int = 0
    cost_nano_usd: int | None = None
    operator_cost_nano_usd: int | None = None
    estimated: bool = False
    first_byte_ms: int | None = None
    duration_ms: int | None = None
    seam_ms: int = 0
    injected: bool = False
    calls: int = 1
    tries: tuple[Try, ...] = ()
