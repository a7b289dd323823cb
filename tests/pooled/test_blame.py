"""C30: which refusal is the key's fault, which the request's, and which nobody's."""

import pytest

from gemproxy.chaos.refusals import (
    BAD_ARGUMENT,
    BILLING,
    DISABLED,
    EXPIRED,
    INVALID,
    LEAKED,
    LOCATION,
    NOT_FOUND,
    OVERLOADED,
    WRONG_TOKEN,
    Refusal,
    suspended,
)
from gemproxy.chaos.repertoire import BUILT_IN
from tests.pooled.conftest import StartHouse
from tests.pooled.house import ANN, BOB, K1, K2, K3, SECRETS, House

pytestmark = pytest.mark.production_loop

SICK = [
    pytest.param(INVALID, id="invalid"),
    pytest.param(NOT_FOUND, id="not found"),
    pytest.param(EXPIRED, id="expired"),
    pytest.param(WRONG_TOKEN, id="wrong token"),
    pytest.param(suspended(K1), id="suspended"),
    pytest.param(LEAKED, id="leaked"),
    pytest.param(DISABLED, id="disabled"),
]


async def asked(house: House, times: int = 6) -> list[int]:
    """Send so many prompts of their own; return the statuses."""
    return [(await house.ask(f"Prompt {number}")).status for number in range(times)]


@pytest.mark.parametrize("refusal", SICK)
async def test_a_sick_key_leaves_and_no_client_sees_it(house: StartHouse, refusal: Refusal) -> None:
    started = await house()
    started.cloud.refuse(K1, refusal)

    assert await asked(started) == [200] * 6
    assert started.keys().count(K1) == 1
    assert set(started.keys()) == {K1, K2, K3}


async def test_missing_billing_takes_the_project_out(house: StartHouse) -> None:
    started = await house()
    started.cloud.refuse("P1", BILLING)

    assert await asked(started) == [200] * 6
    assert len(started.came("P1")) == 1


async def test_a_location_is_not_tried_with_every_key(house: StartHouse) -> None:
    started = await house()
    started.cloud.refuse("*", LOCATION)

    answer = await started.ask()
    assert answer.status == 400
    assert "location" in answer.error["message"].lower()
    assert len(started.came()) == 1
    started.cloud.heal()
    assert await asked(started) == [200] * 6
    assert set(started.keys()) == {K1, K2, K3}


async def test_a_bad_body_goes_back_after_one_request(house: StartHouse) -> None:
    started = await house()
    started.cloud.refuse("*", BAD_ARGUMENT, times=1)

    answer = await started.ask()
    assert (answer.status, answer.error["message"]) == (400, BAD_ARGUMENT.message)
    assert len(started.came()) == 1
    assert await asked(started) == [200] * 6
    assert set(started.keys()) == {K1, K2, K3}


async def test_an_overload_is_no_keys_fault(house: StartHouse) -> None:
    started = await house()
    started.cloud.refuse("*", OVERLOADED, times=2)

    assert await asked(started, 7) == [200] * 7
    assert set(started.keys()) == {K1, K2, K3}


@pytest.mark.parametrize("refusal", SICK)
async def test_all_sick_is_503_once_and_quickly(house: StartHouse, refusal: Refusal) -> None:
    started = await house()
    started.cloud.refuse("*", refusal)

    first, second = await started.ask(), await started.ask("Again")
    assert (first.status, second.status) in ((503, 503), (502, 503))
    assert len(started.came()) == 3
    for answer in (first, second):
        assert not [secret for secret in SECRETS if secret.encode() in answer.body]


async def test_an_unknown_access_key_is_refused_here(house: StartHouse) -> None:
    started = await house()
    for wrong in (f"{ANN}x", f"{BOB[:-1]}", "gp-anything", K1, "any"):
        answer = await started.ask(key=wrong)
        assert answer.status == 401
        assert wrong.encode() not in answer.body
    assert started.cloud.log == []


async def test_the_text_is_whole_after_a_sick_key(house: StartHouse) -> None:
    started = await house()
    started.cloud.refuse("P1", INVALID)

    answers = [await started.ask(f"Prompt {number}") for number in range(3)]
    assert {answer.text for answer in answers} == {BUILT_IN["story"].text}
