"""What of a replay is new to the client, whatever of the events has ids."""

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.interactions.event import read
from gemproxy.core.interactions.replay import Delivered, News

NEW, OLD, ASTRAY = News.NEW, News.OLD, News.ASTRAY


def event(text: str, event_id: str | None = None, kind: str = "step.delta") -> bytes:
    named: dict[str, Any] = {} if event_id is None else {"event_id": event_id}
    return json.dumps({"text": text, "event_type": kind, **named}).encode()


def had(*events: bytes) -> Delivered:
    delivered = Delivered()
    for data in events:
        delivered.add(read(data), data)
    return delivered


def judged(delivered: Delivered, *events: bytes) -> list[News]:
    """Return what the events of a replay are; what is new is added."""
    delivered.rewind()
    found = []
    for data in events:
        found.append(delivered.judge(read(data), data))
        if found[-1] is NEW:
            delivered.add(read(data), data)
    return found


CREATED = event("", kind="interaction.created")
RUNNING = event("in_progress", kind="interaction.status_update")
A, B, C, D = (event(letter, letter) for letter in "ABCD")
a, b, c = (event(letter) for letter in "abc")


def test_what_comes_behind_the_last_id_is_new() -> None:
    assert judged(had(A, B), C, D) == [NEW, NEW]


def test_events_whose_ids_are_known_are_old() -> None:
    assert judged(had(A, B), A, B, C) == [OLD, OLD, NEW]


def test_events_without_ids_are_told_again_behind_the_last_id() -> None:
    assert had(A, b).last_id == "A"
    assert judged(had(A, b, c), b, c, D) == [OLD, OLD, NEW]


def test_an_early_replay_is_old_up_to_the_last_id_and_compared_behind_it() -> None:
    assert judged(had(a, A, b, B, c), a, A) == [ASTRAY, OLD]
    whole = (CREATED, RUNNING, a, A, b, B, c)
    assert judged(had(*whole), *whole, D) == [OLD] * 7 + [NEW]
    assert judged(had(A, b, B, c), A, b, B, c, D) == [OLD, OLD, OLD, OLD, NEW]


def test_without_any_id_the_whole_is_compared() -> None:
    assert had(CREATED, a).last_id is None
    assert judged(had(CREATED, RUNNING, a, b), CREATED, RUNNING, a, b, c) == [OLD] * 4 + [NEW]


def test_a_replay_that_differs_is_astray() -> None:
    assert judged(had(A, b), c) == [ASTRAY]
    assert judged(had(A, b), D) == [ASTRAY]


def test_a_replay_may_leave_out_what_the_client_has() -> None:
    assert judged(had(A, B), A, D) == [OLD, NEW]
    assert judged(had(CREATED, A, B), CREATED, D) == [OLD, NEW]


def test_a_new_event_behind_some_that_may_be_old_is_astray() -> None:
    completed = event("", kind="interaction.completed")

    assert judged(had(A, B), A, b, D) == [OLD, OLD, ASTRAY]
    assert judged(had(CREATED, A), CREATED, b, completed) == [OLD, OLD, ASTRAY]
    assert judged(had(CREATED, A), CREATED, completed) == [OLD, NEW]


def test_the_interaction_is_created_once_and_its_status_is_no_news_twice() -> None:
    completed = event("completed", kind="interaction.status_update")

    delivered = had(CREATED, RUNNING, A, b)

    other = event("other words", kind="interaction.created")
    assert judged(delivered, other, RUNNING, A, b, completed, C) == [OLD] * 4 + [NEW] * 2


def test_a_new_status_does_not_end_the_comparison() -> None:
    waiting = event("requires_action", kind="interaction.status_update")

    assert judged(had(A, b), waiting, b, c) == [NEW, OLD, NEW]


def test_ids_may_be_added_in_a_replay() -> None:
    delivered = had(A, b, c)

    assert judged(delivered, event("b", "id-of-b")) == [OLD]
    assert delivered.last_id == "id-of-b"
    assert judged(delivered, c, D) == [OLD, NEW]


def test_a_replay_has_caught_up_when_all_is_told_again() -> None:
    delivered = had(A, b)
    assert delivered.caught_up
    for data, caught_up in [(A, False), (b, True)]:
        delivered.rewind()
        delivered.judge(read(A), A)
        if data is b:
            delivered.judge(read(b), b)
        assert delivered.caught_up is caught_up


@attrs.frozen
class Story:
    """Events, of which some have ids, and how much of them the client has after each cut."""

    events: list[bytes]
    cuts: list[int]
    overlap: int


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw events of which many are alike, as the pieces of a text can be."""
    marks = draw(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=12))
    events = [
        event(letter, f"id-{number}" if has_id else None)
        for number, (letter, has_id) in enumerate(marks)
    ]
    cuts = draw(st.lists(st.integers(0, len(events)), max_size=4).map(sorted))
    return Story([CREATED, RUNNING, *events], cuts, draw(st.integers(0, 3)))


def replay(story: Story, last_id: str | None) -> list[bytes]:
    """Return what is told from an event on; more of it with an overlap, which begins at an id."""
    ids = [read(data).id for data in story.events]
    if last_id is None:
        return story.events
    begin = max(0, ids.index(last_id) + 1 - story.overlap)
    while begin and ids[begin : begin + 1] == [None] and begin <= ids.index(last_id):
        begin -= 1
    return story.events[begin:]


@given(stories())
def test_nothing_is_lost_and_nothing_doubled(story: Story) -> None:
    delivered = Delivered()
    got: list[bytes] = []
    for cut in [*story.cuts, len(story.events)]:
        delivered.rewind()
        catching_up = bool(got)
        for data in replay(story, delivered.last_id):
            if len(got) > cut:
                break
            happening = read(data)
            news = delivered.judge(happening, data) if catching_up else NEW
            assert news is not ASTRAY
            if news is OLD:
                continue
            catching_up = catching_up and happening.is_lifecycle
            delivered.add(happening, data)
            got.append(data)

    assert got == story.events


@pytest.mark.parametrize("count", [0, 3])
def test_events_are_counted(count: int) -> None:
    assert had(*[a] * count).count == count
