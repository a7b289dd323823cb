"""Binding: the one project that can serve a request, by the names in it.

| the names of a request                  | the request                                       |
|-----------------------------------------|---------------------------------------------------|
| none                                    | may go to any project                             |
| all known, all this access key's        | goes to their project                             |
| of two projects                         | 400, which names both names                       |
| one that another access key made        | 404                                               |
| unknown, found by a look-up             | goes there, if what nobody made may be used       |
| unknown, found nowhere                  | goes to the caller's home: Google's own answer    |
| unknown in the path of a write          | goes to the caller's home, without a look-up      |

A look-up is a read of metadata, never a generation: one for each project, the caller's home first.
Where what nobody made may not be used, also the target of a write is looked up, in the project to
which the write would go: or a name whose owner was forgotten could be deleted by anyone.

Look-ups are remembered, misses briefly, and each access key has a number of them a minute, so that
made-up names cannot make the proxy ask all projects without end.

A body that cannot be read is refused: nobody knows what it names. Uploads are the content of files
and name nothing.
"""

import asyncio
import functools
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from gemproxy.core.errors import BadRequest, Busy, Exhausted, NotOwned, TooLarge
from gemproxy.exchange.credential import ephemeral
from gemproxy.exchange.exchange import Exchange
from gemproxy.exchange.names import well_formed
from gemproxy.owners.naming import (
    HANDLES,
    NO_NAMES,
    TOKENS,
    Names,
    check_form,
    names_in_body,
    names_in_path,
    names_in_query,
)
from gemproxy.owners.owner import Owner
from gemproxy.owners.registry import Registry
from gemproxy.owners.witness import DocumentWitness, Witnesses, witness_of

_OK = 200
_READS = frozenset({"GET", "HEAD"})
_COMPUTES = re.compile(
    r":(?:\w*[gG]enerate\w*|count\w*|embed\w*|batchEmbed\w*|predict|query)$|/completions/?$"
)
_UPLOAD = re.compile(r"(?:^|/)upload/v\d[^/]*/(?:[^:]*|.*:upload\w*)$")
_FORM = re.compile(r"/openai/(?:files|videos|images/edits|audio/\w+)/?$")
_OTHER_PROTOCOLS = re.compile(
    r"/\$(?!discovery/)|(?<!/ws)/google\.[\w.]+/|^/*(?:v\d\w*/)?batch(?:/v\d\w*)?/*$"
)
"""Paths of other protocols, whose requests are not read here: ``$rpc``, gRPC, HTTP batches."""
_ECHO = "TRACE"
"""The method whose answer may repeat the request, with the key of the pool."""
_OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
_VERSIONED = re.compile(r"(?P<base>.*?)(?:/upload|/download)?/v\d\w*/")
_LARGE = 1 << 20
_OPAQUE = {TOKENS: "such continuationToken", HANDLES: "such session handle"}
"""Our collections, whose names say nothing to a client."""
_MOST_UNKNOWN = 16
"""Unknown names in one request."""


@attrs.frozen
class _Path:
    """What a path says, with the names in it."""

    foreign: bool  # of another protocol
    uploads: bool
    takes_a_form: bool
    names: tuple[str, ...]


@functools.lru_cache(maxsize=1024)
def _read(path: str) -> _Path:
    """Return what a decoded path says; nearly all requests have one of few."""
    return _Path(
        _OTHER_PROTOCOLS.search(path) is not None,
        _UPLOAD.search(path) is not None,
        _FORM.search(path) is not None,
        names_in_path(path),
    )


@functools.lru_cache(maxsize=256)
def _with(hosts: frozenset[str], host: str) -> frozenset[str]:
    """Return ``hosts`` with the Host of a request."""
    return hosts | {host.lower()}


class Projects(Protocol):
    """The projects of the pool, as far as a look-up needs them."""

    def order(self, caller: str) -> Sequence[str]:
        """Return the names of all projects, the home of ``caller`` first."""

    async def status(self, project: str, target: str) -> int | None:
        """Return the status of a GET of ``target`` (a path) with a key of a project.

        None if no answer came, or no key of the project can ask now. Never raises.
        """


@attrs.define(eq=False)
class Allowance:
    """Look-ups that each access key has: ``burst`` at once, ``rate`` more each second."""

    burst: float = 30.0
    rate: float = 0.5
    most: int = 10_000
    _spent: OrderedDict[str, tuple[float, float]] = attrs.field(factory=OrderedDict, init=False)

    def take(self, caller: str, now: float) -> float:
        """Take a look-up; return 0, or the seconds until there is one."""
        spent, since = self._spent.pop(caller, (0.0, now))
        spent = max(spent - (now - since) * self.rate, 0.0)
        short = max(spent + 1 - self.burst, 0.0)
        self._spent[caller] = (spent if short else spent + 1), now
        while len(self._spent) > self.most:
            self._spent.popitem(last=False)
        return short / self.rate


@attrs.define(eq=False)
class Remembered:
    """The outcomes of look-ups, by target: the project that has it, empty for none."""

    seconds: float = 300.0
    seconds_of_a_miss: float = 15.0
    most: int = 10_000
    _known: OrderedDict[str, tuple[str, float]] = attrs.field(factory=OrderedDict, init=False)

    def get(self, target: str, now: float) -> str | None:
        """Return the outcome for a target, None if it is not remembered."""
        project, until = self._known.get(target, ("", 0.0))
        return project if until > now else None

    def put(self, target: str, project: str, now: float) -> None:
        """Remember the outcome for a target."""
        until = now + (self.seconds if project else self.seconds_of_a_miss)
        self._known[target] = project, until
        self._known.move_to_end(target)
        while len(self._known) > self.most:
            self._known.popitem(last=False)

    def drop(self, targets: Iterable[str]) -> None:
        """Forget the outcomes for what was made or deleted."""
        for target in targets:
            self._known.pop(target, None)


@attrs.define(eq=False)
class Binding:
    """Binds requests to projects, and records what they make.

    ``hosts`` are those whose URIs are names besides Google's public host and the request's own
    Host: the upstream's, and ours in the settings, each with its port if it is not the usual one.
    ``unowned`` says whether a name that only a look-up found may be used.
    """

    registry: Registry
    projects: Projects
    unowned: Callable[[], bool]
    hosts: frozenset[str] = frozenset()
    now: Callable[[], float] = time.monotonic
    remembered: Remembered = attrs.field(factory=Remembered)
    allowance: Allowance = attrs.field(factory=Allowance)

    @property
    def allows_unowned(self) -> bool:
        """Whether a name that nobody made through the proxy may be used, by now."""
        return self.unowned()

    async def bind(self, exchange: Exchange, body: bytes | None) -> str | None:
        """Return the project to which a request of an access key must go, None for any.

        ``body`` is what goes up, None for nothing and for a stream. Raises NotOwned, BadRequest and
        other errors about a request that cannot be bound.
        """
        if exchange.given is not None:
            return None  # an upload that its session binds
        if body is not None and len(body) > _LARGE:
            names = await asyncio.to_thread(self.names, exchange, body)
        else:
            names = self.names(exchange, body)
        if not names:
            return None
        caller = exchange.account.access
        _refuse_malformed(names)
        owners = await self.registry.find([*names.target, *names.used])
        owners |= await self.registry.find_perhaps(names.perhaps)
        for name, owner in owners.items():
            self._check_owner(name, owner, caller)
        found = {name: owner.project for name, owner in owners.items()}
        found |= await self._look_up(exchange, names, found)
        bound = {name: project for name, project in found.items() if project}
        _refuse_two(bound)
        if bound:
            return next(iter(bound.values()))
        return self._home(caller) if names.target or names.used else None

    def witness(
        self, exchange: Exchange, status: int, headers: Mapping[str, str]
    ) -> Witnesses | None:
        """Return what reads the names in an answer; see ``witness_of``.

        What hangs on a name that the caller did not make is not the caller's either, and to look at
        it makes nobody its owner.
        """
        witness = witness_of(exchange, status, headers, self._hosts)
        if isinstance(witness, DocumentWitness):
            caller, target = exchange.account.access, _read(exchange.path).names
            if not all(self.registry.is_known_of(caller, name) for name in target):
                return None
        return witness

    async def record(self, names: Mapping[str, float | None], project: str, caller: str) -> None:
        """Record what a request of ``caller`` made in a project; see ``Registry.record``."""
        self.remembered.drop(filter(None, (_metadata("", name) for name in names)))
        await self.registry.record(names, project, caller)

    def names(self, exchange: Exchange, body: bytes | None) -> Names:
        """Return the names in a request. Raises a GemproxyError for one that cannot be read."""
        path, headers = _read(exchange.path), exchange.headers
        if path.foreign or exchange.method == _ECHO:
            raise NotOwned("Access keys serve the REST API only.")
        for name in _OVERRIDES:
            if name in headers:
                raise BadRequest("Access keys do not serve requests that override their method.")
        if path.uploads and exchange.method in _READS:
            raise NotOwned("There is nothing to read under /upload/.")
        hosts = self._hosts(exchange)
        in_query = names_in_query(exchange.raw_query, hosts) if exchange.raw_query else ()
        in_body = _names_in_body(exchange, path, body, hosts)
        own = exchange.caller
        token = "" if own is None else ephemeral(own)
        if not (path.names or in_query or token):
            return in_body
        of_the_token = (token,) if token else ()
        used = (*of_the_token, *in_query, *in_body.used)
        used = tuple(dict.fromkeys(name for name in used if name not in path.names))
        return Names(path.names, used, in_body.perhaps)

    def _hosts(self, exchange: Exchange) -> frozenset[str]:
        return _with(self.hosts, exchange.headers.get("Host", ""))

    def _check_owner(self, name: str, owner: Owner, caller: str) -> None:
        if owner.caller != caller and (owner.caller or not self.allows_unowned):
            raise _not_owned(name)

    def _home(self, caller: str) -> str | None:
        return next(iter(self.projects.order(caller)), None)

    async def _look_up(
        self, exchange: Exchange, names: Names, found: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the projects of unknown names, empty for those that are in none."""
        caller = exchange.account.access
        unknown = [name for name in (*names.target, *names.used) if name not in found]
        if len(unknown) > _MOST_UNKNOWN:
            raise BadRequest("The request names too many things that this access key did not make.")
        owned = next(iter(found.values()), "")
        results: dict[str, str] = {}
        for name in unknown:
            order = self.projects.order(caller)
            if name in names.target and _is_write(exchange):
                order = [owned or order[0]] if order and not self.allows_unowned else []
            project = await self._find(exchange, name, order)
            if project and not self.allows_unowned:
                raise _not_owned(name)
            results[name] = project
        return results

    async def _find(self, exchange: Exchange, name: str, order: Sequence[str]) -> str:
        """Return the project that has a name, empty if none has; remember it."""
        now = self.now()
        target = _metadata(exchange.path, name)
        if target is None or not order:
            return ""
        known = self.remembered.get(target, now)
        if known is not None:
            return known
        wait = self.allowance.take(exchange.account.access, now)
        if wait:
            raise Exhausted("This access key asks for too many unknown names.", wait)
        statuses = [await self.projects.status(order[0], target)]
        if statuses[0] != _OK:
            others = (self.projects.status(project, target) for project in order[1:])
            statuses += await asyncio.gather(*others)
        project = order[statuses.index(_OK)] if _OK in statuses else ""
        everywhere = len(order) == len(self.projects.order(exchange.account.access))
        if project or (everywhere and None not in statuses):
            self.remembered.put(target, project, now)
        elif statuses[0] is None and not self.allows_unowned:
            raise Busy(f"It cannot be found out now who made {name}.")
        return project


def _names_in_body(
    exchange: Exchange, path: _Path, body: bytes | None, hosts: frozenset[str]
) -> Names:
    if not _carries_names(exchange, path):
        return NO_NAMES
    if body is not None:
        return names_in_body(body, hosts) if body else NO_NAMES
    if _announces_a_body(exchange):
        raise TooLarge("The request body is too large to be read for the names in it.")
    return NO_NAMES


def carries_names(exchange: Exchange) -> bool:
    """Return whether the body of a request may name what others made, and so has to be read.

    The content of a file is none: an upload, or a form where OpenAI's clients upload one. Raises
    Encoded for a body that could not be read, by its headers.
    """
    return _carries_names(exchange, _read(exchange.path))


def _carries_names(exchange: Exchange, path: _Path) -> bool:
    if exchange.given is not None or path.uploads:
        return False
    headers = exchange.headers
    kind = headers.get("Content-Type", "")
    if kind == "application/json" and "Content-Encoding" not in headers:
        return True
    if path.takes_a_form and kind.strip().lower().startswith("multipart/form-data"):
        return False
    if _announces_a_body(exchange):
        check_form(kind, headers.get("Content-Encoding", ""))
    return True


def _announces_a_body(exchange: Exchange) -> bool:
    headers = exchange.headers
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0").strip() != "0"


def _is_write(exchange: Exchange) -> bool:
    """Return whether a request changes what its path names."""
    return exchange.method not in _READS and not _COMPUTES.search(exchange.path)


def _metadata(path: str, name: str) -> str | None:
    """Return the path of a name's metadata, None if it has none; ``path`` is a request's.

    The version is always the one that has every resource, and not the request's: a version of the
    client's choice in which nothing is found would say that a name is nobody's.
    """
    collection = name.partition("/")[0]
    if collection in {"auth_tokens", "generatedFiles"}:
        return None
    found = _VERSIONED.match(f"/{path.lstrip('/')}")
    layer = "/openai" if collection == "videos" else ""
    return f"{found['base'] if found else ''}/v1beta{layer}/{name}"


def _refuse_malformed(names: Names) -> None:
    for name in (*names.target, *names.used):
        if not well_formed(name):
            raise _not_owned(name)


def _refuse_two(bound: Mapping[str, str]) -> None:
    """Raise BadRequest for names that no single project can serve."""
    first, *others = bound.items() or [("", "")]
    for name, project in others:
        if project != first[1]:
            message = f"{first[0]} and {name} belong to different Google projects"
            raise BadRequest(f"{message}, so no request can use both.")


def _not_owned(name: str) -> NotOwned:
    what = _OPAQUE.get(name.partition("/")[0], name)
    return NotOwned(f"There is no {what} that this access key may use.")
