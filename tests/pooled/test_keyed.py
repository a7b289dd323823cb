"""P6: whose streams they are, in a pool with access keys."""

import pytest

from gemproxy.access.keys import Stored
from gemproxy.access.secret import hashed, new_id, new_key
from gemproxy.accounts.user import User
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.routes.parts import DOOR
from tests.pooled.conftest import StartHouse
from tests.pooled.house import ANN, BOB, access, stream_of
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

STORY = BUILT_IN["story"]
BODY = body_of("Tell me a story.")
PEPPER = b"p" * 32


def keyed(key: str, after: int | None = None) -> dict[str, str]:
    last = {} if after is None else {"Last-Event-ID": str(after)}
    return {**access(key), "Idempotency-Key": "k", **last}


async def test_the_same_key_of_two_users_are_two_streams(house: StartHouse) -> None:
    at = await house()
    ids = set()
    for key in (ANN, BOB):
        answer = await at.proxy.ask(stream_of(), BODY, keyed(key))
        assert answer.text == STORY.text
        ids.add(answer.headers["X-Gemproxy-Stream-Id"])

    assert len(ids) == len(at.fake.attempts) == 2


async def test_another_user_sees_nothing_and_cannot_go_on(house: StartHouse) -> None:
    at = await house()
    answer = await at.proxy.ask(stream_of(), BODY, keyed(ANN))
    name = answer.headers["X-Gemproxy-Stream-Id"]

    mine = await at.proxy.ask(f"/gemproxy/v1/streams/{name}?after=1", b"", access(ANN), "GET")
    others = [
        await at.proxy.ask(f"/gemproxy/v1/streams/{name}?after=1", b"", access(BOB), "GET"),
        await at.proxy.ask(f"/gemproxy/v1/streams/{name}:cancel", b"", access(BOB), "POST"),
    ]
    goes_on = await at.proxy.ask(stream_of(), BODY, keyed(BOB, 1))

    assert mine.status == 200
    assert {one.status for one in others} == {404}
    assert goes_on.status == 410
    assert len(at.fake.attempts) == 1


async def test_a_rotated_key_of_the_same_user_still_owns_and_a_revoked_one_does_not(
    house: StartHouse,
) -> None:
    at = await house()
    keys, public = at.proxy.app[DOOR].keys, new_id()
    before, after = new_key(public), new_key(public)
    user = User(public, "carol")
    keys.put([Stored(user, hashed(before, PEPPER))], PEPPER)
    first = await at.proxy.ask(stream_of(), BODY, keyed(before))
    name = first.headers["X-Gemproxy-Stream-Id"]

    keys.put([Stored(user, hashed(after, PEPPER))], PEPPER)

    resumed = await at.proxy.ask(stream_of(), BODY, keyed(after, 2))
    assert (resumed.status, resumed.headers["X-Gemproxy-Stream-Id"]) == (200, name)
    old = await at.proxy.ask(f"/gemproxy/v1/streams/{name}?after=0", b"", access(before), "GET")
    assert old.status == 401
    keys.put([], PEPPER, [public])
    gone = await at.proxy.ask(f"/gemproxy/v1/streams/{name}?after=0", b"", access(after), "GET")
    assert gone.status == 401
    assert len(at.fake.attempts) == 1
