"""What is read off one attempt."""

import pytest

from gemproxy.core.answer.usage import Billed
from gemproxy.probe.said import listen
from tests.gemini import chunk, sse

CALL = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"}


def test_text_thoughts_and_calls_are_told_apart() -> None:
    said = listen(
        sse(
            chunk(parts=[{"text": "hmm", "thought": True}]),
            chunk("one "),
            chunk(parts=[{"text": "two"}, CALL]),
        )
    )

    assert said.text == "one two"
    assert said.lengths == [0, 4, 3]
    assert said.thought_characters == 3
    assert said.thoughts_after_text is False
    assert said.calls == [CALL]


def test_a_thought_behind_text_is_noticed() -> None:
    said = listen(sse(chunk("one "), chunk(parts=[{"text": "hmm", "thought": True}])))

    assert said.thoughts_after_text is True


def test_the_last_usage_counts_and_frames_with_one_are_counted() -> None:
    said = listen(sse(chunk("a", usage=(5, 1)), chunk("b"), chunk("c", usage=(5, 3))))

    assert said.with_usage == 2
    assert said.billed == Billed(prompt=5, output=3, total=8)


def test_a_reason_that_content_follows_was_an_intermediate_one() -> None:
    assert listen(sse(chunk("a", finish="STOP"), chunk("b"))).finish_reason is None


def test_a_reason_is_known_by_its_frame_and_those_behind_it() -> None:
    usage_only = {"usageMetadata": {"promptTokenCount": 1}}
    said = listen(sse(chunk("a"), chunk(finish="STOP"), usage_only))

    assert said.finish_reason == "STOP"
    assert said.finish_has_content is False
    assert said.frames_after_finish == 1


@pytest.mark.parametrize(
    ("stream", "line_ends"),
    [
        (sse(chunk("a"), chunk("b")), "crlf"),
        (sse(chunk("a"), chunk("b"), eol="\n"), "lf"),
        (sse(chunk("a")) + sse(chunk("b"), eol="\n"), "mixed"),
        (b"", "none"),
    ],
)
def test_line_ends_are_named(stream: bytes, line_ends: str) -> None:
    assert listen(stream).line_ends == line_ends


def test_what_is_no_json_is_counted_and_what_has_no_data_is_not() -> None:
    said = listen(b": a comment\r\n\r\n" + b"data: {oops\r\n\r\n" + sse(chunk("a")))

    assert (len(said.frames), said.garbled, said.text) == (2, 1, "a")


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"candidates": [null]}',
        b'data: {"candidates": [{"content": {"parts": "text"}}]}',
        b'data: {"candidates": [{"content": null}]}',
        b'data: [{"error": {"code": 503}}]',
    ],
)
def test_an_unusual_frame_does_no_harm(frame: bytes) -> None:
    said = listen(frame + b"\r\n\r\n")

    assert len(said.frames) == 1
    assert said.text == ""


def test_error_block_reason_token_and_names_are_kept() -> None:
    said = listen(
        sse(
            chunk("a", token="t", response_id="one"),
            chunk("b", response_id="two"),
            {"promptFeedback": {"blockReason": "SAFETY"}},
            {"error": {"code": 503}},
        )
    )

    assert said.token is True
    assert said.response_ids == {"one", "two"}
    assert said.model_version == "gemini-test"
    assert said.blocked == "SAFETY"
    assert said.error == {"code": 503}
