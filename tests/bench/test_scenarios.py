"""The loads: what they ask for, and that they last as long as they are measured."""

import pytest

from bench.scenarios import SCENARIOS, Scenario

SECOND = 1_000_000
PACED = [scenario for scenario in SCENARIOS.values() if scenario.pace_us]


@pytest.mark.parametrize("scenario", PACED, ids=lambda scenario: scenario.name)
def test_paced_streams_outlast_the_measurement(scenario: Scenario) -> None:
    lasts = (scenario.events_of_stream(4 * SECOND) - 1) * scenario.pace_us

    assert lasts >= scenario.warm_up_us() + 4 * SECOND - scenario.pace_us


@pytest.mark.parametrize("scenario", PACED, ids=lambda scenario: scenario.name)
def test_streams_are_opened_before_the_measurement_begins(scenario: Scenario) -> None:
    assert scenario.ramp_us < scenario.warm_up_us()


def test_streams_at_full_speed_have_a_length_of_their_own() -> None:
    assert SCENARIOS["S1b"].events_of_stream(9 * SECOND) == SCENARIOS["S1b"].events == 200


def test_only_answers_with_events_are_streamed() -> None:
    assert SCENARIOS["S1"].target.endswith(":streamGenerateContent?alt=sse")
    assert SCENARIOS["S4"].target.endswith(":generateContent")
