"""What the client has: exact to the character, append-only, and what may still be done."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemproxy.core.answer.chunk import SILENT, Chunk, read
from gemproxy.core.answer.transcript import Checkpoint, Transcript, join_surrogates

any_text = st.text(st.characters(), max_size=8)  # lone surrogates too
EMOJI = "\U0001f600"


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def holding(*texts: str) -> Transcript:
    transcript = Transcript()
    for text in texts:
        transcript.add(Chunk(news=True, text=text), text)
    return transcript


# -- text ------------------------------------------------------------------------------------


@given(st.lists(st.text()))
def test_the_text_is_every_piece_in_order(pieces: list[str]) -> None:
    transcript = holding(*pieces)

    assert transcript.text == "".join(pieces)
    assert transcript.chars == len(transcript.text)


@given(pieces=st.lists(any_text), looks=st.sets(st.integers(0, 8)))
@example(pieces=["a\ud83d", "\ude00b"], looks=set())
@example(pieces=["\ud83d", "\ude00", "\ud83d", "\ude00"], looks={1})
def test_characters_that_frames_split_are_joined_and_counted_once(
    pieces: list[str], looks: set[int]
) -> None:
    transcript = Transcript()
    for number, piece in enumerate(pieces):
        transcript.add_text(piece)
        if number in looks:
            assert transcript.chars == len(transcript.text)

    assert transcript.text == join_surrogates("".join(pieces))
    assert transcript.chars == len(transcript.text)


@given(pieces=st.lists(st.tuples(any_text, st.booleans())))
def test_frames_and_plain_pieces_count_alike(pieces: list[tuple[str, bool]]) -> None:
    transcript = Transcript()
    for piece, whole in pieces:
        if whole:
            transcript.add(Chunk(text=piece), piece)
        else:
            transcript.add_text(piece)

    assert transcript.chars == len(transcript.text)


def test_a_character_that_two_parts_of_a_frame_split_is_one() -> None:
    chunk = read(b'{"candidates":[{"content":{"parts":[{"text":"\\ud83d"},{"text":"\\ude00"}]}}]}')
    transcript = Transcript()
    transcript.add(chunk, chunk.text)

    assert transcript.text == EMOJI
    assert transcript.chars == 1


def test_a_checkpoint_behind_a_split_character_points_at_the_same_place() -> None:
    transcript = holding("a\ud83d")
    transcript.add(Chunk(text="\ude00b", token="t"), "\ude00b")
    transcript.add_text("c")

    assert transcript.checkpoint is not None
    assert transcript.text[transcript.checkpoint.at :] == "c"


@given(any_text)
def test_joining_keeps_everything_but_the_split(text: str) -> None:
    joined = join_surrogates(text)

    assert joined.encode("utf-16-le", "surrogatepass") == text.encode("utf-16-le", "surrogatepass")
    assert join_surrogates(joined) == joined


def test_only_the_text_that_went_out_is_noted() -> None:
    transcript = Transcript()
    transcript.add(Chunk(news=True, text="Once upon"), " upon")

    assert transcript.text == " upon"


def test_what_was_sent_stays() -> None:
    transcript = holding("Once")
    before = transcript.text
    transcript.add(SILENT, "")
    transcript.forget_checkpoints()

    assert transcript.text == before == "Once"


# -- what can be done with it ------------------------------------------------------------------


def test_nothing_is_visible_at_first() -> None:
    transcript = Transcript()

    assert not transcript.visible
    assert not transcript.started
    assert transcript.text == ""


def test_thoughts_are_seen_and_not_visible() -> None:
    transcript = Transcript()
    transcript.add(Chunk(news=True, thought=True), "")

    assert transcript.started
    assert transcript.thoughts
    assert not transcript.visible


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk(news=True, opaque=True),
        Chunk(news=True, call=True),
        Chunk(news=True, text="a", call=True),
    ],
)
def test_what_text_cannot_carry_on_is_visible_and_opaque(chunk: Chunk) -> None:
    transcript = Transcript()
    transcript.add(chunk, chunk.text)

    assert transcript.visible
    assert transcript.opaque


def test_opaque_stays_opaque() -> None:
    transcript = Transcript()
    transcript.add(Chunk(opaque=True), "")
    transcript.add(Chunk(text="a"), "a")

    assert transcript.opaque


@pytest.mark.parametrize("chunk", [SILENT, Chunk(usage=raw({"totalTokenCount": 1}))])
def test_a_frame_without_content_is_noted_and_not_visible(chunk: Chunk) -> None:
    transcript = Transcript()
    transcript.add(chunk, "")

    assert transcript.started
    assert not transcript.visible


# -- who it says it is -------------------------------------------------------------------------


def test_the_first_frame_that_names_an_id_names_it_for_all() -> None:
    transcript = Transcript()
    for response_id, version in [(None, "v1"), ("first", None), ("second", "v2")]:
        transcript.begin(response_id, version)

    assert transcript.response_id == "first"
    assert transcript.model_version == "v1"


# -- checkpoints -------------------------------------------------------------------------------


def test_a_checkpoint_is_where_the_text_of_its_frame_ends() -> None:
    transcript = holding("Once")
    transcript.add(Chunk(text=" upon", token="t"), " upon")
    transcript.add(Chunk(text=" a time"), " a time")

    assert transcript.checkpoint == Checkpoint("t", len("Once upon"))


def test_the_last_checkpoint_counts() -> None:
    transcript = Transcript()
    for token in ("one", "two"):
        transcript.add(Chunk(text="a", token=token), "a")

    assert transcript.checkpoint == Checkpoint("two", 2)


def test_after_a_text_resume_tokens_are_those_of_another_request() -> None:
    transcript = Transcript()
    transcript.add(Chunk(text="a", token="one"), "a")
    transcript.forget_checkpoints()
    transcript.add(Chunk(text="b", token="two"), "b")

    assert transcript.checkpoint is None


def test_a_token_is_not_shown_in_logs() -> None:
    assert "secret-token" not in repr(Checkpoint("secret-token", 3))


def test_the_text_is_not_shown_in_logs() -> None:
    transcript = holding("a private story")
    transcript.add(Chunk(grounding=raw({"webSearchQueries": ["a private query"]})), "")

    assert "private" not in repr(transcript)


# -- grounding ---------------------------------------------------------------------------------


def test_the_last_grounding_counts() -> None:
    transcript = Transcript()
    for query in ("one", "two"):
        transcript.add(Chunk(grounding=raw({"webSearchQueries": [query]})), "")
    transcript.add(Chunk(text="a"), "a")

    assert transcript.grounding == {"webSearchQueries": ["two"]}


def test_grounding_counts_as_it_was_told_and_not_as_it_came() -> None:
    transcript = Transcript()
    told = {"webSearchQueries": ["one", "two"]}
    transcript.add(Chunk(grounding=raw({"webSearchQueries": ["two"]})), "", told)
    transcript.add(Chunk(text="a"), "a", told)

    assert transcript.grounding == told


@pytest.mark.parametrize("value", [None, "text", [], 3, True])
def test_grounding_that_is_no_object_is_none(value: Any) -> None:
    transcript = Transcript()
    transcript.add(Chunk(grounding=raw(value)), "")

    assert transcript.grounding == {}


def test_without_grounding_it_is_empty() -> None:
    assert holding("a").grounding == {}
