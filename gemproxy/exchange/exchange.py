"""One request, as everything behind the routes sees it.

An exchange is made where a request comes in, before it is known whether it is usable, so that a
health check, a path that leads nowhere and a refused request have one, too. What only some need
is found when it is first asked for, and kept: its target, its caller, its model, its deadline,
the names that it is bound to.

``towards`` and ``at`` derive an exchange: the stream that stands for a unary call, the read that
goes on with an interaction, the piece of an upload that has a URL of its own. They share the
account, because they are one request of the client's.
"""

import functools
from collections.abc import Mapping
from typing import Self
from urllib.parse import unquote

import attrs
from multidict import CIMultiDict
from yarl import URL

from gemproxy.exchange.account import Account
from gemproxy.exchange.credential import Credential, choose_credential
from gemproxy.exchange.deadline import Deadline
from gemproxy.exchange.names import bound_names, model_in
from gemproxy.exchange.target import Given, Target

_OF_A_BODY = ("Content-Type", "Content-Length", "Content-Encoding")


@attrs.frozen(eq=False)
class Exchange:
    """One request: its ``id`` in the log, the ``family`` of routes that it belongs to.

    ``raw_path``, ``raw_query`` and ``headers`` are as the client sent them. ``given`` is a URL that
    the upstream gave out for the request, with its credential: there is none to choose then.
    """

    id: str
    family: str
    method: str
    raw_path: str
    raw_query: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    account: Account = attrs.field(factory=Account, repr=False)
    given: Given | None = attrs.field(default=None, repr=False)
    _due: Deadline | None = attrs.field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.raw_path) if "%" in self.raw_path else self.raw_path

    @property
    def raw_target(self) -> str:
        """The path with the query."""
        return f"{self.raw_path}?{self.raw_query}" if self.raw_query else self.raw_path

    @functools.cached_property
    def target(self) -> Target | Given:
        """Where it goes. Raises BadRequest for a target that cannot be forwarded."""
        return self.given or Target.of(self.raw_path, self.raw_query)

    @functools.cached_property
    def caller(self) -> Credential | None:
        """The client's own credential, None where it sent none. Raises like ``target``."""
        if self.given is not None:
            return self.given.credential
        return choose_credential(self.headers, self.target.credential)

    @functools.cached_property
    def deadline(self) -> Deadline:
        """When the client wants its answer; it runs from the first time that it is asked for.

        That is when the request is there as far as it has to be: with its body where the body is
        kept.
        """
        return self._due or Deadline.of(self.headers)

    @functools.cached_property
    def model(self) -> str:
        """The model that the path names; empty for none."""
        return model_in(unquote(self.raw_path) if "%" in self.raw_path else self.raw_path)

    @functools.cached_property
    def bound(self) -> tuple[str, ...]:
        """The names in the path that only their owner at Google can use."""
        return bound_names(self.path)

    def towards(self, raw_target: str, method: str | None = None) -> Self:
        """Return the exchange with another target.

        Where a ``method`` is named the request has no body, and no headers of one.
        """
        path, _, query = raw_target.partition("?")
        towards = attrs.evolve(self, raw_path=path, raw_query=query, due=self.deadline)
        if method is None:
            return towards
        headers = CIMultiDict(self.headers)
        for name in _OF_A_BODY:
            headers.popall(name, None)
        return attrs.evolve(towards, method=method, headers=headers)

    def at(self, url: URL, credential: Credential | None) -> Self:
        """Return the exchange with a ``url`` that was given out, and the credential for it."""
        return attrs.evolve(self, given=Given(url, credential), due=self.deadline)
