"""What the pool has learnt, in a form that is stored and shared between processes.

The pool puts out a change for each thing that it learns, and takes in the changes of other
processes and of the time before a restart. Of two changes about the same thing the later ``at``
counts; only a rest that is shorter than the known one does not, unless a probe learnt it. All times
are seconds of the Unix clock.
"""

import enum

import attrs
import msgspec


class Why(enum.Enum):
    """Why a project rests for a model, or a key is sick."""

    MINUTE = "minute"
    DAY = "day"
    ABSENT = "absent"
    """The model is not in the project's tier: its limit is 0."""
    BARE = "bare"
    """A quota that the answer does not name."""
    INVALID = "invalid"
    SUSPENDED = "suspended"
    LEAKED = "leaked"
    DISABLED = "disabled"
    BILLING = "billing"
    DENIED = "denied"


class Result(enum.Enum):
    """How an attempt ended, as far as it says something of its key.

    A refusal that is the key's fault has the value of its ``Why``.
    """

    OK = "ok"
    MINUTE = "minute"
    DAY = "day"
    ABSENT = "absent"
    BARE = "bare"
    INVALID = "invalid"
    SUSPENDED = "suspended"
    LEAKED = "leaked"
    DISABLED = "disabled"
    BILLING = "billing"
    DENIED = "denied"
    LOCATION = "location"
    """Google refuses the location that the request came from."""
    REQUEST = "request"
    """A refusal for the fault of the request."""
    SERVICE = "service"
    """A refusal for the fault of the service."""
    NO_ANSWER = "no_answer"
    NOT_GEMINI = "not_gemini"
    """An answer that is not one of the Gemini API; only a check looks so closely."""


@attrs.frozen
class Rest:
    """A project rests for a model until a time; one that is not after ``at`` ends the rest.

    ``times`` counts the bare refusals in a row, from which the next rest grows. ``probed`` is the
    time of the last single try during a rest of a day or longer.
    """

    project: str
    model: str
    until: float
    why: Why
    at: float
    times: int = 0
    probed: float = 0.0


@attrs.frozen
class Sickness:
    """A key (by fingerprint) is out of the pool, or well again if ``why`` is None.

    It is checked at ``again_at``, after a pause that grows with ``times``.
    """

    key: str
    why: Why | None
    at: float
    again_at: float = 0.0
    times: int = 0


@attrs.frozen
class Switch:
    """The operator has enabled or disabled a key (by fingerprint)."""

    key: str
    enabled: bool
    at: float


class Use(msgspec.Struct, frozen=True):
    """The last attempt with a key (by fingerprint): its result, and when it was over."""

    key: str
    result: Result
    at: float


@attrs.frozen
class Spent:
    """Requests of a project to a model in one Pacific day (``2026-11-28``).

    As a change that goes out, ``requests`` counts those since the last one; as a change that comes
    in, those of all processes.
    """

    project: str
    model: str
    day: str
    requests: int


class Home(msgspec.Struct, frozen=True):
    """The project of a conversation, which is known by a hash of its opening."""

    opening: bytes
    project: str
    at: float


Change = Rest | Sickness | Switch | Use | Spent | Home
