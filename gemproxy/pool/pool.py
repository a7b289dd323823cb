"""The pool: picks a key for each attempt, and learns from the outcome.

The interface; see the docstrings of the classes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from gemproxy.pool.key import Key, Limits, Project
from gemproxy.pool.state import Change


@attrs.frozen
class Wish:
    """An attempt for which a key is wanted.

    ``model`` is empty for what no quota of a model counts. ``project`` is the only one that may
    serve, None for any. ``opening`` identifies the conversation: (of the first turn, and of the
    first answer if there is one); None for what is no conversation. ``caller`` is the access key,
    whose home project gets what creates names. ``tokens`` estimates those of the prompt. ``tried``
    holds the keys (fingerprints) that this request has had already.
    """

    model: str = ""
    project: str | None = None
    opening: tuple[bytes, ...] = ()
    caller: str = ""
    tokens: int = 0
    tried: frozenset[str] = frozenset()


@attrs.define(eq=False)
class Pick:
    """A key that was picked, until the pool hears of its outcome."""

    key: Key
    model: str
    tokens: int


@attrs.frozen
class Outcome:
    """How an attempt ended, as far as it concerns its key.

    ``status`` is None where no answer came. ``error`` is the google.rpc.Status of a refusal, also
    of one in a stream that had begun. ``retry_after`` is in seconds. ``tokens`` are those of the
    prompt, None if the answer did not say.
    """

    status: int | None = None
    error: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    retry_after: float | None = None
    tokens: int | None = None


@attrs.frozen
class Nobody:
    """No key can serve. ``until``: when the first one can again; None: not by waiting.

    ``sick``: all keys that could are sick. ``absent``: no project has the model.
    """

    until: float | None
    sick: bool = False
    absent: bool = False


@attrs.define(eq=False)
class Pool:
    """Projects, their keys, and what is known of them."""

    projects: Iterable[Project]
    strategy: str = "least_used"
    limits: Mapping[str, Limits] = attrs.field(factory=dict)
    workers: int = 1

    def pick(self, wish: Wish, now: float) -> Pick | Nobody:
        """Return the key for an attempt."""
        raise NotImplementedError

    def answered(self, pick: Pick, now: float) -> None:
        """Note that the head of the answer has come: the upstream has counted the request."""

    def over(self, pick: Pick, outcome: Outcome, now: float) -> None:
        """Learn from the outcome of an attempt. Called once for each pick."""
        raise NotImplementedError

    def changes(self) -> list[Change]:
        """Return what was learnt since the last call."""
        raise NotImplementedError

    def apply(self, changes: Iterable[Change], now: float) -> None:
        """Take in what other processes, or this one before its restart, have learnt."""
        raise NotImplementedError
