"""Google's front end in the fake Gemini: whose key it is, and whether the request may pass.

    cloud.refuse("key1", INVALID)                        until cloud.heal("key1")
    cloud.refuse("lab", quota(...), model="m", times=1)  the project's next request for a model
    cloud.refuse("*", LOCATION)                          whoever asks
    cloud.now = lambda: 1783713600.0                     the clock of its quotas
    assert cloud.most("lab", "gemini-test") <= 5         in any sixty seconds

``log`` holds what came, refused or not; for a server that runs for long, ``record`` is off.
``observe`` is called with every refused request.
"""

import time
from collections.abc import Callable, Iterable

import attrs

from gemproxy.chaos.api import check_credential, model_of, prompt_tokens
from gemproxy.chaos.meter import MINUTE, Meter
from gemproxy.chaos.projects import Project
from gemproxy.chaos.refusals import INVALID, WRONG_TOKEN, Refusal, absent
from gemproxy.chaos.wire import Request

ANYBODY = "*"


@attrs.define
class Arrival:
    """A request that came: its key and the key's project, its model, its time, and its refusal.

    ``project`` is empty for an unknown key, ``model`` where no quota counts the request. ``status``
    is that of the front end's refusal, 0 if the request passed.
    """

    key: str = attrs.field(repr=False)
    project: str
    method: str
    path: str
    model: str
    at: float
    status: int = 0


@attrs.define
class _Order:
    """A refusal that was asked for, ``left`` times more; None: for good."""

    who: str
    refusal: Refusal
    model: str
    left: int | None


def _in_order(projects: Iterable[Project]) -> tuple[Project, ...]:
    return tuple(projects)


@attrs.define(eq=False)
class Cloud:
    """The projects of a server, and what came to them."""

    projects: tuple[Project, ...] = attrs.field(default=(), converter=_in_order)
    record: bool = True
    observe: Callable[[Arrival], None] | None = None
    now: Callable[[], float] = time.time
    log: list[Arrival] = attrs.field(factory=list)
    _orders: list[_Order] = attrs.field(factory=list)
    _meters: dict[tuple[str, str], Meter] = attrs.field(factory=dict)

    def refuse(
        self, who: str, refusal: Refusal, *, model: str = "", times: int | None = None
    ) -> None:
        """Refuse the requests of a key, a project or ``*`` so, ``times`` times or for good.

        With a ``model`` only those that a quota of that model counts.
        """
        self._orders.append(_Order(who, refusal, model, times))

    def heal(self, who: str = ANYBODY) -> None:
        """End the refusals of a key or a project; of ``*``, all refusals."""
        self._orders = [one for one in self._orders if who not in (one.who, ANYBODY)]

    def owner(self, key: str) -> Project | None:
        """Return the project of a key, None if there is none."""
        return next((project for project in self.projects if key in project.keys), None)

    def admit(self, request: Request, issuer: str = "") -> tuple[Arrival, Refusal | None]:
        """Record a request and judge its credential; raise api.Refused where there is not one.

        ``issuer`` is the project of a token that stands in place of a key.
        """
        key = _key_of(request)
        owner = self.owner(key)
        name = owner.name if owner is not None else issuer
        model = model_of(request)
        arrival = Arrival(key, name, request.method, request.path, model, self.now())
        if self.record:
            self.log.append(arrival)
        if not request.path.endswith(("/chat/completions", "/embeddings", "/openai/models")):
            check_credential(request)
        refusal = self._ordered(arrival) or (None if name else _unknown(key))
        return arrival, None if refusal is None else self.note(arrival, refusal)

    def count(self, arrival: Arrival, request: Request) -> Refusal | None:
        """Count an admitted request against the quota of its model; return a refusal."""
        owner = self.owner(arrival.key)
        if owner is None or not arrival.model:
            return None
        if arrival.model in owner.off:
            return absent(arrival.model)
        meter = self._meters.setdefault((owner.name, arrival.model), Meter())
        quota, tokens = owner.quota_of(arrival.model), prompt_tokens(request.document)
        return meter.take(quota, arrival.model, tokens, arrival.at)

    def note(self, arrival: Arrival, refusal: Refusal) -> Refusal:
        """Record that a request was refused; return the refusal."""
        arrival.status = refusal.status
        if self.observe is not None:
            self.observe(arrival)
        return refusal

    def came(self, who: str = ANYBODY, model: str = "") -> list[Arrival]:
        """Return what came from a key or a project, for one model if given."""
        return [
            one
            for one in self.log
            if who in (ANYBODY, one.key, one.project) and model in ("", one.model)
        ]

    def most(self, who: str, model: str, seconds: float = MINUTE) -> int:
        """Return the highest number of requests for ``model`` that came in any such window."""
        times = [one.at for one in self.came(who, model)]
        first, highest = 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            highest = max(highest, last - first + 1)
        return highest

    def _ordered(self, arrival: Arrival) -> Refusal | None:
        """Return the first refusal that was asked for this request, and count it."""
        for order in self._orders:
            whose = order.who in (ANYBODY, arrival.key, arrival.project or None)
            if whose and order.model in ("", arrival.model) and order.left != 0:
                order.left = None if order.left is None else order.left - 1
                return order.refusal
        return None


def _key_of(request: Request) -> str:
    return request.header("x-goog-api-key") or request.header("authorization").partition(" ")[2]


def _unknown(key: str) -> Refusal:
    """Return the refusal of an unknown key; those of the newer kind are taken for tokens."""
    return WRONG_TOKEN if key.startswith(("AQ.", "ya29.")) else INVALID
