"""Why an answer ended, in OpenAI's words."""

from typing import Any

import pytest

from gemproxy.core.answer.chunk import FINISH_REASONS
from gemproxy.openai.finish import FAILURES, finish_reason
from tests.openai.reader import REASONS, Told
from tests.openai.told import STOP, collected, message, read, text

Json = dict[str, Any]


def ends(native: object, *said: str, **rest: object) -> list[Json]:
    return [*(text(piece) for piece in said), {"candidates": [{"finishReason": native, **rest}]}]


def both(frames: list[Json]) -> tuple[Told, Json]:
    """Return what a stream and a unary answer say; both agree on the end."""
    told, choice = read(frames), collected(frames)["choices"][0]
    assert told.finish_reason == choice["finish_reason"]
    assert told.native == choice["native_finish_reason"]
    assert (told.content or "") == choice["message"]["content"]
    assert (told.refusal or None) == choice["message"]["refusal"]
    return told, choice


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("OTHER", "stop"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_RECITATION", "content_filter"),
        ("IMAGE_SOMETHING_NEW", "content_filter"),
        ("IMAGE_OTHER", "stop"),
        ("NO_IMAGE", "stop"),
        ("TOO_MANY_TOOL_CALLS", "length"),
        ("CONTINUATION", "length"),
        ("ESCALATION", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("PUP_LIMITED_DISABLED", "content_filter"),
        ("A_WORD_OF_TOMORROW", "stop"),
        (1, "stop"),
        (2, "length"),
        (3, "content_filter"),
        (99, "stop"),
    ],
)
def test_each_word_of_geminis_has_one_of_openais(native: object, reason: str) -> None:
    told, _ = both(ends(native, "Once"))
    assert told.content == "Once"
    assert told.finish_reason == reason
    name = native if isinstance(native, str) else str(native)
    assert told.native in (name, *FINISH_REASONS)


@pytest.mark.parametrize("native", sorted(set(FINISH_REASONS[1:]) - FAILURES))
@pytest.mark.parametrize("legacy", [True, False])
def test_a_call_decides_whatever_gemini_says(native: str, *, legacy: bool) -> None:
    reason = finish_reason(native, called=True, legacy=legacy, said=True)
    assert reason == ("function_call" if legacy else "tool_calls")
    assert finish_reason(native, called=False, legacy=legacy, said=False) in REASONS


def test_other_behind_nothing_was_a_filter() -> None:
    told, choice = both(ends("OTHER"))
    assert told.finish_reason == "content_filter"
    assert choice["message"]["content"] == ""


def test_a_blocked_prompt_is_an_empty_answer() -> None:
    usage = {"promptTokenCount": 8, "totalTokenCount": 8}
    feedback = {"blockReason": "PROHIBITED_CONTENT"}
    frames = [{"promptFeedback": feedback, "usageMetadata": usage}]
    told, choice = both(frames)
    assert (told.content, told.finish_reason) == ("", "content_filter")
    assert told.native == "PROHIBITED_CONTENT"
    assert "PROHIBITED_CONTENT" in told.refusal
    assert choice["message"]["content"] == ""
    counts = collected(frames)["usage"]
    assert [counts[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")] == [
        8,
        0,
        8,
    ]


def test_googles_own_words_about_a_block_are_the_refusal() -> None:
    feedback = {"blockReason": "OTHER", "blockReasonMessage": "Not this."}
    told, _ = both([{"promptFeedback": feedback}])
    assert told.refusal == "Not this."


def test_an_answer_without_content_is_empty_and_has_its_choice() -> None:
    told, choice = both([STOP])
    assert (told.content, told.finish_reason, told.refusal) == ("", "stop", "")
    assert choice["message"] == {"role": "assistant", "content": "", "refusal": None}


def test_the_message_of_an_ending_reaches_the_client() -> None:
    told, _ = both(ends("IMAGE_PROHIBITED_CONTENT", finishMessage="no", content={"role": "model"}))
    assert (told.finish_reason, told.refusal) == ("content_filter", "no")


def test_a_limit_on_tokens_is_no_refusal() -> None:
    told, _ = both(ends("MAX_TOKENS", "Once", finishMessage="The limit was reached."))
    assert (told.finish_reason, told.refusal) == ("length", "")


def test_a_limit_that_the_thoughts_used_up_leaves_an_empty_text() -> None:
    usage = {"promptTokenCount": 9, "thoughtsTokenCount": 47, "totalTokenCount": 56}
    frames = [
        {
            "candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}],
            "usageMetadata": usage,
        }
    ]
    told, choice = both(frames)
    assert (told.finish_reason, choice["message"]["content"]) == ("length", "")
    counts = collected(frames)["usage"]
    assert [counts[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")] == [
        9,
        47,
        56,
    ]
    assert counts["completion_tokens_details"]["reasoning_tokens"] == 47


def test_the_last_reason_counts() -> None:
    frames = [text("a", finishReason="MAX_TOKENS"), text("b"), text("c", finishReason="STOP")]
    told, _ = both(frames)
    assert (told.content, told.finish_reason) == ("abc", "stop")


def test_an_unspecified_reason_is_none() -> None:
    told, _ = both([text("a", finishReason="FINISH_REASON_UNSPECIFIED"), STOP])
    assert told.finish_reason == "stop"
    assert message([text("a", finishReason=0), STOP])["content"] == "a"
