"""One request, as all rooms behind the routes see it.

An exchange is made when a request comes in, before its check, so a health check, an unknown path
and a refused request have one too. Properties that only some requests need are computed at their
first use and kept: the target, the caller, the model, the deadline, the names to which it is bound.

``towards``, ``within`` and ``at`` derive an exchange: the stream in place of a unary call, the read
that continues an interaction, one project's part of a list, the piece of an upload with its own
URL. They share the account, because they belong to one request of the client.
"""

import functools
from collections.abc import Mapping
from typing import Self
from urllib.parse import unquote

import attrs
from multidict import CIMultiDict
from yarl import URL

from gemproxy.exchange.account import Account
from gemproxy.exchange.credential import Credential, choose_credential, ephemeral
from gemproxy.exchange.deadline import Deadline
from gemproxy.exchange.names import bound_names, model_in
from gemproxy.exchange.target import Given, Target

_OF_A_BODY = ("Content-Type", "Content-Length", "Content-Encoding")


@attrs.frozen(eq=False)
class Exchange:
    """One request: its ``id`` in the log, and the ``family`` of its route.

    ``raw_path``, ``raw_query`` and ``headers`` are the client's, unchanged. ``given`` is a URL that
    the upstream issued for the request, with its credential, which then needs no choice.
    ``project`` is the only project of the pool that may serve, None where the source chooses.
    """

    id: str
    family: str
    method: str
    raw_path: str
    raw_query: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    account: Account = attrs.field(factory=Account, repr=False)
    given: Given | None = attrs.field(default=None, repr=False)
    project: str | None = None
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
        """The target. Raises BadRequest for one that cannot be forwarded."""
        return self.given or Target.of(self.raw_path, self.raw_query)

    @functools.cached_property
    def caller(self) -> Credential | None:
        """The client's own credential, None if it sent none or an access key.

        With an access key only an ephemeral token counts. Raises like ``target``.
        """
        if self.given is not None:
            return self.given.credential
        own = choose_credential(self.headers, self.target.credential)
        return None if self.account.access and not ephemeral(own) else own

    @functools.cached_property
    def deadline(self) -> Deadline:
        """The client's deadline, which runs from the first use of this property.

        That is after the arrival of the request, including its body if the body is kept.
        """
        return self._due or Deadline.of(self.headers)

    @functools.cached_property
    def model(self) -> str:
        """The model in the path; empty if there is none."""
        return model_in(unquote(self.raw_path) if "%" in self.raw_path else self.raw_path)

    @functools.cached_property
    def bound(self) -> tuple[str, ...]:
        """The names in the path that only their owner at Google can use."""
        return bound_names(self.path)

    def towards(self, raw_target: str, method: str | None = None) -> Self:
        """Return the exchange with another target.

        With a ``method`` the request has no body, and no headers of a body.
        """
        path, _, query = raw_target.partition("?")
        towards = attrs.evolve(self, raw_path=path, raw_query=query, due=self.deadline)
        if method is None:
            return towards
        headers = CIMultiDict(self.headers)
        for name in _OF_A_BODY:
            headers.popall(name, None)
        return attrs.evolve(towards, method=method, headers=headers)

    def within(self, project: str) -> Self:
        """Return the exchange as one that only this project of the pool may serve."""
        return attrs.evolve(self, project=project, due=self.deadline)

    def at(self, url: URL, credential: Credential | None, key: str = "", project: str = "") -> Self:
        """Return the exchange with an issued ``url``, and the credential or key for it."""
        given = Given(url, credential, key, project)
        return attrs.evolve(self, given=given, due=self.deadline)
