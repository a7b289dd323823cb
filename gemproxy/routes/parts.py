"""What the application hands to its routes, under typed keys.

The composition root fills them with plain values; a route takes from them what it needs, and sees
nothing of the settings beyond that. The dispatcher is there from the start of the application on,
all else from its making.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import attrs
from aiohttp import web

from gemproxy.access.door import Door
from gemproxy.accounts.gate import Gate
from gemproxy.accounts.prices import Prices
from gemproxy.accounts.user import User
from gemproxy.core.repair.policy import Policy
from gemproxy.exchange.exchange import Exchange
from gemproxy.fetching.pictures import Pictures
from gemproxy.images.room import Room
from gemproxy.images.store import PictureStore
from gemproxy.metering.directory import Directory
from gemproxy.metering.meter import Meter
from gemproxy.openai.catalogue import Shelf
from gemproxy.openai.drawn import Drawn
from gemproxy.openai.image_requests import Studio
from gemproxy.openai.request import Ways
from gemproxy.owners.binding import Binding
from gemproxy.owners.lists import PageTokens
from gemproxy.relay.bodies import Bodies
from gemproxy.relay.dispatcher import Dispatcher
from gemproxy.relay.incoming import RATE
from gemproxy.relay.inflight import InFlight
from gemproxy.relay.lessons import Lessons
from gemproxy.relay.pacing import Budget, Pacing
from gemproxy.relay.retries import RetryBudget
from gemproxy.relay.sessions import UploadSessions
from gemproxy.relay.watch import Timing
from gemproxy.resume.keeper import Keeper
from gemproxy.shaping.shaping import Shaping
from gemproxy.voices.voice import Asides

REPAIR_HEADER = "X-Gemproxy-Repair"


@attrs.frozen
class Clients:
    """What is expected of clients, and how they know us; seconds, and bytes per second.

    ``public_url`` is our base as they write it; empty where it is to be derived. ``server_timing``
    says which answers have a Server-Timing.
    """

    public_url: str = ""
    send_timeout: float = 120.0
    heartbeat: float = 15.0
    body_timeout: float = 60.0
    body_rate: float = RATE
    server_timing: Literal["off", "ask", "on"] = "ask"


@attrs.frozen(eq=False)
class Repairing:
    """What all repairs share: their choices and bounds, and what they have learnt.

    ``max_frame`` and ``max_stream`` cap a frame and an answer in bytes. ``keep_answer`` is the
    largest unary answer (bytes) that is read to its end before it is passed on; ``via_stream``
    runs a unary generation upstream as a stream.
    """

    bodies: Bodies
    timing: Timing
    policy: Policy = attrs.field(factory=Policy)
    budget: Budget = attrs.field(factory=Budget)
    retries: RetryBudget = attrs.field(factory=RetryBudget)
    lessons: Lessons = attrs.field(factory=Lessons)
    max_frame: int = 64 << 20
    max_stream: int = 256 << 20
    keep_answer: int = 8 << 20
    via_stream: bool = False

    def pacing(self, exchange: Exchange, model: str, progress: Callable[[], int]) -> Pacing:
        """Return the pace of a request to ``model``; ``progress`` counts what its client got."""
        may_retry = self.retries.enter(model, caller_of(exchange))
        return Pacing(self.budget, progress, deadline=exchange.deadline, may_retry=may_retry)

    def is_wanted(self, headers: Mapping[str, str]) -> bool:
        """Tell whether anything may be asked again for a request with these headers."""
        return self.policy.repair and headers.get(REPAIR_HEADER, "").strip().lower() != "off"


@attrs.frozen(eq=False)
class Live:
    """What is made of settings that can change while the proxy runs.

    A change makes all of it anew, except for what has learnt something: that is the same object.
    """

    repair: Repairing
    shaping: Shaping
    ways: Ways
    studio: Studio
    """How requests for pictures are translated."""
    gate: Gate
    """Bounds the requests to the relay for pictures."""


@attrs.define(eq=False)
class Present:
    """Holds what the next request begins with."""

    live: Live


@attrs.frozen(eq=False)
class Pooled:
    """What routes need for clients with an access key: who owns what, and the tokens of pages."""

    binding: Binding
    tokens: PageTokens


def caller_of(exchange: Exchange) -> str:
    """Return who shares a budget: an access key by its name, else the client's credential."""
    if exchange.account.access:
        return f"access key\n{exchange.account.access}"
    return exchange.caller.value if exchange.caller else ""


IN_FLIGHT = web.AppKey("in_flight", InFlight)
DISPATCHER = web.AppKey("dispatcher", Dispatcher)
CLIENTS = web.AppKey("clients", Clients)
UPLOADS = web.AppKey("uploads", UploadSessions)
POOLED = web.AppKey("pooled", Pooled)
"""Only there if there is a pool, and so an access key."""
AVAILABLE_KEYS: web.AppKey[Callable[[], int]] = web.AppKey("available_keys")
"""Counts the keys of the pool that could serve some model now; only there if there is a pool."""
DOOR = web.AppKey("door", Door)
USERS = web.AppKey("users", Directory)
"""Keeps the door's access keys in step with the stored ones; only there if there is a pool."""
ADMIN_SECRET = web.AppKey("admin_secret", str)
"""Empty if there is none."""
DRAWN = web.AppKey("drawn", Drawn)
PICTURES = web.AppKey("pictures", Pictures)
"""Only there if pictures that requests name by URL are fetched."""
CATALOGUE = web.AppKey("catalogue", Shelf)
"""The last list of models that came with a key of the pool."""
KEEPER = web.AppKey("keeper", Keeper)
"""Keeps the streams that outlive their connections; only there if the settings want them."""
METER: web.AppKey[Meter] = web.AppKey("meter")
PRICES = web.AppKey("prices", Prices)
ROOM = web.AppKey("room", Room)
"""Bounds the pictures that are on their way to clients."""
PICTURE_STORE = web.AppKey("picture_store", PictureStore)
"""Keeps pictures, for links to them; only there if a storage is set."""
PRESENT = web.AppKey("present", Present)

EXCHANGE = web.RequestKey("exchange", Exchange)
"""The request as the inside sees it; made before any handler runs."""

LIVE = web.RequestKey("live", Live)
"""What a request began with, which it keeps when settings change."""

USER = web.RequestKey("user", User)
"""Whose access key the request has; missing for a client with its own Gemini key."""

ADDRESS = web.RequestKey("address", str)
"""The client's address, where a limit asks for it."""

VOICE = web.RequestKey("voice", Asides)
"""The client's voice, where it is known before the answer begins."""
