"""usageMetadata over attempts: one generation for the client, all of it for the log."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.answer.usage import (
    Billed,
    Tally,
    Usage,
    billed,
    estimate_tokens,
    parse_usage,
)

counts = st.integers(0, 5000)
any_text = st.text(st.characters())


def usage(
    prompt: int = 0, output: int = 0, thoughts: int = 0, tools: int = 0, **more: object
) -> Usage:
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tools,
        "totalTokenCount": prompt + output + thoughts + tools,
        **more,
    }


usages = st.builds(usage, counts, counts, counts, counts)
attempts = st.lists(st.tuples(usages, counts, counts), max_size=5)


def after(*cut: tuple[Usage, int, int]) -> Tally:
    """Return the tally after attempts of (usage, delivered, not delivered characters)."""
    tally = Tally()
    for last, delivered, lost in cut:
        tally = tally.settled(last, received=delivered + lost, delivered=delivered)
    return tally


def test_an_answer_in_one_attempt_keeps_its_usage() -> None:
    own = usage(7, 20, 5, 3, serviceTier="standard")

    assert Tally().merged(own, received=80, dropped=0) == own


def test_a_resumed_answer_has_the_first_prompt_and_all_output() -> None:
    tally = after((usage(10, 20, 5), 80, 0))

    shown = tally.merged(usage(45, 30, 2), received=120, dropped=0)

    assert shown["promptTokenCount"] == 10
    assert shown["candidatesTokenCount"] == 50
    assert shown["thoughtsTokenCount"] == 7
    assert shown["totalTokenCount"] == 67


def test_an_echo_is_billed_and_not_shown() -> None:
    tally = after((usage(10, 20), 80, 0))

    shown = tally.merged(usage(40, 40), received=160, dropped=40)

    assert shown["candidatesTokenCount"] == 20 + 30
    assert tally.settled(usage(40, 40), received=160, delivered=120).billed.output == 60


def test_what_was_never_delivered_is_billed_and_not_shown() -> None:
    tally = after((usage(10, 20), 40, 40))

    assert tally.delivered_tokens == 10
    assert tally.billed == Billed(10, 20, 0, 30)


def test_a_replayed_attempt_leaves_only_its_thoughts_and_its_bill() -> None:
    tally = after((usage(10, 20, 5), 0, 80))

    assert tally.merged(usage(10, 30), received=120, dropped=0)["candidatesTokenCount"] == 30
    assert tally.billed.total == 35


def test_details_of_the_prompt_are_those_of_the_first_attempt() -> None:
    first = usage(10, 20, promptTokensDetails=[{"modality": "TEXT", "tokenCount": 10}])
    own = usage(
        45,
        30,
        promptTokensDetails=[{"modality": "TEXT", "tokenCount": 45}],
        cachedContentTokenCount=40,
        cacheTokensDetails=[{"modality": "TEXT", "tokenCount": 40}],
    )

    shown = after((first, 80, 0)).merged(own, received=120, dropped=0)

    assert shown["promptTokensDetails"] == first["promptTokensDetails"]
    assert "cachedContentTokenCount" not in shown, "more cached than the prompt has"
    assert "cacheTokensDetails" not in shown


def test_the_first_attempt_that_counted_its_prompt_gives_it() -> None:
    tally = after(({}, 80, 0), (usage(45, 30), 100, 0), (usage(90, 5), 10, 0))

    assert tally.merged(usage(99, 1), received=4, dropped=0)["promptTokenCount"] == 45


def test_details_of_the_output_are_restated_where_there_is_one_kind() -> None:
    details = [{"modality": "TEXT", "tokenCount": 30}]

    shown = after((usage(10, 20), 80, 0)).merged(
        usage(45, 30, candidatesTokensDetails=details), received=120, dropped=0
    )

    assert shown["candidatesTokensDetails"] == [{"modality": "TEXT", "tokenCount": 50}]


@pytest.mark.parametrize(
    "details",
    [
        [{"modality": "TEXT", "tokenCount": 1}, {"modality": "IMAGE", "tokenCount": 2}],
        [{"modality": "AUDIO", "tokenCount": 1}],
        [None],
        ["TEXT"],
        [],
        None,
        "TEXT",
    ],
)
def test_details_that_cannot_agree_with_the_sum_go(details: object) -> None:
    shown = Tally().merged(usage(1, 2, candidatesTokensDetails=details), received=8, dropped=0)

    assert "candidatesTokensDetails" not in shown


def test_unknown_fields_pass() -> None:
    shown = after((usage(1, 2), 8, 0)).merged(
        usage(1, 2, trafficType="ON_DEMAND"), received=8, dropped=0
    )

    assert shown["trafficType"] == "ON_DEMAND"


def test_an_attempt_that_counted_nothing_is_estimated_from_what_was_delivered() -> None:
    tally = Tally().settled({}, received=80, delivered=80, text="word " * 16)

    assert tally.delivered_tokens == 20
    assert tally.billed.output == 20


def test_an_estimate_is_not_reduced_by_what_was_not_delivered() -> None:
    tally = Tally().settled({}, received=160, delivered=80, text="word " * 16)

    assert tally.delivered_tokens == 20
    assert tally.billed.output == 40


@pytest.mark.parametrize(("final", "output"), [(True, 0), (False, 1)])
def test_no_output_at_the_end_of_a_whole_answer_is_a_count(*, final: bool, output: int) -> None:
    tally = Tally().settled(usage(1000, 0), received=1, delivered=1, text="x", final=final)

    assert tally.own.output == tally.billed.output == output
    assert tally.estimated is not final


def test_an_attempt_that_counted_only_its_prompt_is_estimated_too() -> None:
    tally = Tally().settled(
        {"promptTokenCount": 9, "totalTokenCount": 9}, received=80, delivered=80, text="x" * 80
    )

    assert tally.delivered_tokens == 20
    assert tally.billed == Billed(9, 20, 0, 29)


@given(cut=attempts, own=usages, received=counts, dropped=counts)
def test_the_total_is_the_sum_of_what_is_shown(
    cut: list[tuple[Usage, int, int]], own: Usage, received: int, dropped: int
) -> None:
    shown = after(*cut).merged(own, received=received, dropped=min(dropped, received))

    assert shown["totalTokenCount"] == sum(
        shown.get(name, 0)
        for name in (
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "toolUsePromptTokenCount",
        )
    )


@given(cut=attempts, own=usages, received=counts, dropped=counts)
def test_no_more_is_shown_than_was_billed(
    cut: list[tuple[Usage, int, int]], own: Usage, received: int, dropped: int
) -> None:
    tally = after(*cut)
    dropped = min(dropped, received)

    shown = tally.merged(own, received=received, dropped=dropped)
    bill = tally.settled(own, received=received, delivered=received - dropped).billed

    assert tally.delivered_tokens <= shown["candidatesTokenCount"] <= bill.output
    assert shown["thoughtsTokenCount"] == bill.thoughts


@given(attempts)
def test_the_bill_is_the_sum_of_all_attempts(cut: list[tuple[Usage, int, int]]) -> None:
    assert after(*cut).billed.total == sum(last["totalTokenCount"] for last, _, _ in cut)


@given(attempts)
def test_extra_tokens_are_never_negative(cut: list[tuple[Usage, int, int]]) -> None:
    tally = after(*cut)

    assert 0 <= tally.extra() <= tally.billed.total


def test_one_whole_attempt_costs_nothing_extra() -> None:
    assert after((usage(10, 20, 5), 80, 0)).extra() == 0


def test_a_second_prompt_is_extra() -> None:
    tally = after((usage(10, 20), 80, 0), (usage(40, 30), 120, 0))

    assert tally.extra() == 40
    assert tally.expected_prompt() == 10 + 50


@pytest.mark.parametrize(
    "bad", [None, -3, "12", 1.5, True, [], {}], ids=lambda value: type(value).__name__
)
def test_a_count_that_is_none_counts_as_zero(bad: object) -> None:
    own = {"promptTokenCount": bad, "candidatesTokenCount": bad, "thoughtsTokenCount": bad}

    assert billed(own) == Billed()
    assert Tally().merged(own, received=3, dropped=0)["totalTokenCount"] == 0


def test_merging_does_not_change_what_it_was_given() -> None:
    own = usage(1, 2, candidatesTokensDetails=[{"modality": "TEXT", "tokenCount": 2}])
    before = json.dumps(own)

    after((usage(9, 9), 9, 0)).merged(own, received=8, dropped=4)

    assert json.dumps(own) == before


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        (b"", {}),
        (b"null", {}),
        (b"[1]", {}),
        (b'"text"', {}),
        (b"{", {}),
        (b'{"promptTokenCount": 3}', {"promptTokenCount": 3}),
        (b'{"x": "\xff"}', {"x": "\ufffd"}),
        (b"[" * 100_000, {}),
    ],
)
def test_usage_is_read_where_it_is_an_object(raw: bytes, parsed: Usage) -> None:
    assert parse_usage(msgspec.Raw(raw)) == parsed


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("语言", 2), ("ab语", 2)]
)
def test_four_ascii_characters_or_one_other_make_a_token(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


@given(one=any_text, other=any_text)
def test_more_text_is_never_fewer_tokens(one: str, other: str) -> None:
    whole = estimate_tokens(one + other)

    assert max(estimate_tokens(one), estimate_tokens(other)) <= whole <= len(one + other)
