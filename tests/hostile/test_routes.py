"""Every route has been thought about: one that is not in this table is one too many."""

import attrs

from gemproxy.admin.paths import ADMIN
from gemproxy.config.settings import Settings
from gemproxy.web.app import create_app
from gemproxy.web.checks import HEALTH, KEYLESS


@attrs.frozen
class Decision:
    """Who answers a route, and whether its body is read."""

    methods: str
    answered_by: str
    reads_body: bool = False


OURSELVES, UPSTREAM = "ourselves", "the upstream"
WHO_MAY = "ourselves, to those who may ask"

DECISIONS = {
    "health": Decision("*", OURSELVES),
    "healthz": Decision("*", OURSELVES),
    "livez": Decision("*", OURSELVES),
    "readyz": Decision("*", OURSELVES),
    "status": Decision("*", OURSELVES),
    "wake": Decision("*", OURSELVES),
    "debug_info": Decision("*", OURSELVES),
    "docs": Decision("*", OURSELVES),
    "metrics": Decision("*", OURSELVES),
    "selftest": Decision("GET HEAD", OURSELVES),
    "picture": Decision("*", OURSELVES),
    "prefixed_picture": Decision("*", OURSELVES),
    "stream": Decision("POST", UPSTREAM, reads_body=True),
    "generate": Decision("POST", UPSTREAM, reads_body=True),
    "compute": Decision("POST", UPSTREAM, reads_body=True),
    "chat": Decision("POST", UPSTREAM, reads_body=True),
    "embeddings": Decision("POST", UPSTREAM, reads_body=True),
    "drawing": Decision("POST", UPSTREAM, reads_body=True),
    "edits": Decision("POST", UPSTREAM, reads_body=True),
    "image_relay": Decision("*", UPSTREAM, reads_body=True),
    "refused": Decision("*", WHO_MAY),
    "streams": Decision("*", WHO_MAY),
    "stream_status": Decision("*", WHO_MAY),
    "stream_cancel": Decision("*", WHO_MAY),
    "gemproxy": Decision("*", WHO_MAY),
    "models": Decision("GET HEAD", UPSTREAM),
    "model": Decision("GET HEAD", UPSTREAM),
    "interactions": Decision("POST", UPSTREAM, reads_body=True),
    "interaction": Decision("GET HEAD", UPSTREAM),
    "upload": Decision("*", UPSTREAM),
    "live": Decision("GET HEAD", UPSTREAM),
    "fetch": Decision("GET HEAD", UPSTREAM),
    "passthrough": Decision("*", UPSTREAM),
}


def methods() -> dict[str | None, set[str]]:
    found: dict[str | None, set[str]] = {}
    for route in create_app(Settings()).router.routes():
        found.setdefault(route.name, set()).add(route.method)
    return found


def test_every_route_of_the_router_has_its_decision() -> None:
    decided = {name: set(one.methods.split()) for name, one in DECISIONS.items()}

    assert methods() == decided


def test_only_what_we_answer_ourselves_needs_no_key() -> None:
    ours = {name for name, one in DECISIONS.items() if one.answered_by == OURSELVES}

    assert ours | {ADMIN} == KEYLESS
    counted = {ADMIN, "debug_info", "docs", "metrics", "picture", "prefixed_picture", "selftest"}
    assert counted == KEYLESS - HEALTH
