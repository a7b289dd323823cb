"""Which redirects are followed, and what goes along."""

from typing import cast
from unittest.mock import Mock

import aiohttp
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gemproxy.exchange.exchange import Exchange
from gemproxy.relay.dispatcher import Dispatcher
from gemproxy.relay.handshake import Sockets
from gemproxy.relay.leases import ClientsOwn
from gemproxy.relay.redirects import MOST_HOPS, Hop, belongs_to, resolved
from gemproxy.relay.session_answer import SessionAnswer
from gemproxy.relay.upstream import Reply, Upstream
from gemproxy.relay.wants import BYTES, Want

BASE = URL("https://generativelanguage.googleapis.com")
ASKED = BASE.with_path("/v1/files/a:download")
STORAGE = "https://storage.googleapis.com/bucket/a?X-Goog-Signature=%2B"
HEADERS = {
    "x-goog-api-key": "test-key",
    "Authorization": "Bearer t",
    "X-Goog-User-Project": "p",
    "Range": "bytes=1-2",
    "If-None-Match": '"e"',
    "User-Agent": "sdk",
}


@attrs.define
class Web:
    """Answers by URL: a Location to redirect to, or "" for content; ``hops`` came."""

    locations: dict[str, str]
    status: int = 302
    hops: list[Hop] = attrs.field(factory=list)

    async def open(
        self, _method: str, hop: Hop, _body: object, _patience: float, want: Want
    ) -> Reply:
        """Answer in the place of an Upstream."""
        assert want.follows
        self.hops.append(hop)
        location = self.locations.get(str(hop.url), "")
        headers = CIMultiDict({"Location": location} if location else {})
        response = Mock(
            spec=aiohttp.ClientResponse,
            content=Mock(total_bytes=0),
            status=self.status if location else 200,
            headers=CIMultiDictProxy(headers),
        )
        return Reply(SessionAnswer(response))

    async def status_of(self, method: str = "GET") -> int:
        """Return the status at the end of the way."""
        upstream, sockets = cast("Upstream", self), cast("Sockets", None)
        dispatcher = Dispatcher(upstream, sockets, ClientsOwn(BASE), BASE, 30.0)
        exchange = Exchange("id", "fetch", method, ASKED.raw_path, "", CIMultiDict(HEADERS))
        async with dispatcher.attempt(exchange, None, BYTES) as reply:
            return reply.status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_download_is_followed_to_googles_storage(status: int, method: str) -> None:
    web = Web({str(ASKED): STORAGE}, status)

    assert await web.status_of(method) == 200
    assert str(web.hops[-1].url) == STORAGE


async def test_no_credential_crosses_to_another_host() -> None:
    web = Web({str(ASKED): STORAGE})

    await web.status_of()

    assert web.hops[-1].headers == CIMultiDict(
        {"Range": "bytes=1-2", "If-None-Match": '"e"', "User-Agent": "sdk"}
    )


async def test_the_credential_does_not_come_back_with_the_host() -> None:
    web = Web({str(ASKED): STORAGE, STORAGE: str(BASE.with_path("/x"))})

    assert await web.status_of() == 200
    assert web.hops[-1].url.host == BASE.host
    assert "x-goog-api-key" not in web.hops[-1].headers


async def test_within_the_upstream_everything_goes_along() -> None:
    web = Web({str(ASKED): "/elsewhere?alt=media"})

    assert await web.status_of() == 200
    assert web.hops[-1] == Hop(BASE / "elsewhere" % {"alt": "media"}, web.hops[0].headers)
    assert web.hops[-1].headers["x-goog-api-key"] == "test-key"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_changes_something_is_not_followed(method: str) -> None:
    assert await Web({str(ASKED): STORAGE}).status_of(method) == 302


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/x",
        "https://googleapis.com.evil.example/x",
        "https://evilgoogleapis.com/x",
        "https://9.8.7.6.bc.googleusercontent.com/x",
        "https://lh3.googleusercontent.com/x",
        "https://googleusercontent.com/x",
        "https://user@storage.googleapis.com/x",
        "http://storage.googleapis.com/x",
        "https://storage.googleapis.com:8443/x",
        "https://169.254.169.254/latest",
        "http://localhost/x",
        "file:///etc/passwd",
        "//evil.example/x",
        "https://[broken/x",
        "https://:0x/",
        "https://evil.example\\.googleapis.com/x",
        "https://storage.googleapis.com/a b",
    ],
)
async def test_a_redirect_to_anywhere_else_comes_down(location: str) -> None:
    web = Web({str(ASKED): location})

    assert await web.status_of() == 302
    assert len(web.hops) == 1


async def test_a_redirect_without_a_location_comes_down() -> None:
    assert Hop(ASKED, CIMultiDict()).onward(BASE, "/x") is not None
    web = Web({}, 302)

    assert await web.status_of() == 200


async def test_a_circle_ends() -> None:
    web = Web({str(ASKED): str(ASKED)})

    assert await web.status_of() == 302
    assert len(web.hops) == MOST_HOPS + 1


async def test_a_status_that_is_no_redirect_is_an_answer() -> None:
    assert await Web({str(ASKED): STORAGE}, 300).status_of() == 300


@pytest.mark.parametrize(
    "url",
    ["https://storage.googleapis.com/x", "https://b.storage.googleapis.com/x", f"{BASE}/x"],
)
def test_these_hosts_belong_to_the_upstream(url: str) -> None:
    assert belongs_to(BASE, URL(url))


def test_an_upstream_of_ones_own_is_trusted_by_its_origin_alone() -> None:
    base = URL("http://127.0.0.1:9000/gate")

    assert belongs_to(base, URL("http://127.0.0.1:9000/anything"))
    assert not belongs_to(base, URL("http://127.0.0.1:9001/gate"))
    assert not belongs_to(base, URL("https://127.0.0.1:9000/gate"))


def test_a_location_is_read_against_what_was_asked() -> None:
    assert str(resolved(ASKED, "../files/b?x=%2F#part")) == f"{BASE}/v1/files/b?x=%2F"


@given(st.text(max_size=40))
def test_any_location_is_judged_without_an_error(location: str) -> None:
    onward = Hop(ASKED, CIMultiDict(HEADERS)).onward(BASE, location)

    assert onward is None or belongs_to(BASE, onward.url)


def test_the_whole_way_goes_out_by_one_proxy() -> None:
    way = URL("http://out.test:3128")
    hop = Hop(ASKED, CIMultiDict(HEADERS), way)

    onward = [hop.onward(BASE, location) for location in ("/elsewhere", STORAGE)]

    assert [made.proxy for made in onward if made is not None] == [way, way]
