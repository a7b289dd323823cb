"""One choice: thoughts, signatures, pictures, halves of characters, several candidates."""

from typing import Any

import attrs
import pytest

from gemproxy.core.errors import BadEnding, Unrepaired
from gemproxy.openai.choice import Choice, document_of, pictures_in
from gemproxy.openai.finish import FAILURES
from tests.openai.reader import Reader
from tests.openai.told import STOP, TELLING, answer, collected, message, read, streamed, text

Json = dict[str, Any]


def parts(*given: Json, **rest: object) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(given)}, **rest}]}


def thought(said: str, **rest: object) -> Json:
    return {"text": said, "thought": True, **rest}


WEIGHED = [
    parts(thought("Let me weigh it.")),
    parts(
        {"text": "Two ", "thoughtSignature": "c2ln"},
        thought("more thoughts"),
        {"text": "boats."},
        finishReason="STOP",
    ),
]


def test_a_thought_is_what_says_that_it_is_one() -> None:
    told, whole = read(WEIGHED), message(WEIGHED)
    assert told.content == whole["content"] == "Two boats."
    assert told.reasoning == whole["reasoning_content"] == "Let me weigh it.more thoughts"


def test_the_signature_of_the_text_is_told_once_at_the_end() -> None:
    frames = [
        parts({"text": "a", "thoughtSignature": "Zmlyc3Q="}),
        parts({"text": "", "thoughtSignature": "bGFzdA=="}),
        STOP,
    ]
    assert read(frames).signature == "bGFzdA=="
    assert message(frames)["extra_content"] == {"google": {"thought_signature": "bGFzdA=="}}


def test_the_signature_of_a_thought_is_not_that_of_the_text() -> None:
    frames = [parts(thought("hm", thoughtSignature="c2ln"), {"text": "a"}), STOP]
    assert read(frames).signature is None


def test_a_signature_alone_is_kept() -> None:
    assert read([text("a"), parts({"thoughtSignature": "c2ln"}), STOP]).signature == "c2ln"


def test_the_first_chunk_has_the_role_whatever_it_says() -> None:
    call = {"functionCall": {"name": "f"}}
    for first, content in ((thought("hm"), ""), ({"text": "a"}, "a"), (call, None)):
        stream = Reader.of(streamed([parts(first), STOP]))
        delta = stream.chunks[0]["choices"][0]["delta"]
        assert delta["role"] == "assistant"
        assert delta["content"] == content


def test_frames_that_say_nothing_give_no_chunk() -> None:
    empty: list[Json] = [
        {},
        {"candidates": []},
        {"candidates": None},
        {"candidates": [{}]},
        parts(),
        parts({}),
        parts({"text": ""}),
        {"usageMetadata": {"promptTokenCount": 3}},
        {"candidates": [{"content": {"role": "model"}}]},
        {"candidates": ["x", {"content": {"parts": ["y", None]}}]},
    ]
    stream = Reader.of(streamed([*empty, text("a"), *empty, STOP]))
    assert len(stream.chunks) == 2
    assert stream.told.content == "a"


def test_the_name_of_the_answer_is_geminis() -> None:
    frames = [{**text("a"), "responseId": "r1", "modelVersion": "boat-001"}, STOP]
    whole = collected(frames)
    chunk = Reader.of(streamed(frames)).chunks[-1]
    for told in (whole, chunk):
        assert told["id"] == "chatcmpl-r1"
        assert told["model"] == "boat"
        assert told["system_fingerprint"] == "boat-001"
    assert whole["object"] == "chat.completion"


def test_an_answer_that_gemini_does_not_name_has_the_id_of_the_request() -> None:
    assert collected([text("a"), STOP])["id"] == "chatcmpl-req-1"


def test_the_tier_that_served_is_told() -> None:
    frames = [{**text("a"), "usageMetadata": {"serviceTier": "FLEX"}}, STOP]
    assert collected(frames)["service_tier"] == "flex"
    assert {chunk["service_tier"] for chunk in Reader.of(streamed(frames)).chunks} == {"flex"}


def test_halves_of_a_character_are_joined() -> None:
    frames = [text("a\ud83e"), parts(thought("\ud83d")), text("\udeb8b"), STOP]
    told = read(frames)
    assert told.content == message(frames)["content"] == "a🪸b"
    assert told.reasoning == message(frames)["reasoning_content"] == "\ud83d"


def test_one_of_several_candidates_is_read() -> None:
    def said(index: int | None, piece: str, **rest: object) -> Json:
        named = {} if index is None else {"index": index}
        return {"content": {"parts": [{"text": piece}]}, **named, **rest}

    several = [
        {"candidates": [said(1, "x"), said(None, "a")]},
        {"candidates": [said(1, "y", finishReason="SAFETY")]},
        {"candidates": [said(0, "b", finishReason="STOP")]},
    ]
    assert read(several).content == "ab"
    assert read(several).finish_reason == "stop"
    only_another = [{"candidates": [said(2, "z", finishReason="STOP")]}]
    assert read(only_another).content == "z"


@pytest.mark.parametrize("reason", sorted(FAILURES))
def test_an_answer_that_failed_has_no_end(reason: str) -> None:
    choice = Choice(answer())
    choice.read({"candidates": [{"finishReason": reason}]})
    with pytest.raises(BadEnding, match=reason):
        choice.ending()


def test_an_answer_without_a_reason_has_no_end() -> None:
    choice = Choice(answer())
    choice.read(text("a"))
    with pytest.raises(Unrepaired):
        choice.ending()


PICTURE = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
URL = "data:image/png;base64,iVBORw0KGgo="


def test_pictures_are_numbered_and_drafts_are_not_shown() -> None:
    frames = [parts(thought("hm") | PICTURE, PICTURE), text("see"), parts(PICTURE), STOP]
    told, whole = read(frames), message(frames)
    assert told.images == whole["images"]
    assert [image["index"] for image in told.images] == [0, 1]
    assert {image["image_url"]["url"] for image in told.images} == {URL}
    assert told.content == whole["content"] == "see"


def test_pictures_stand_in_the_text_where_that_is_wanted() -> None:
    frames = [text("see"), parts(PICTURE), text("and"), STOP]
    telling = attrs.evolve(TELLING, markdown=True)
    told, whole = read(frames, telling), message(frames, telling)
    assert told.content == whole["content"] == f"see\n\n![image]({URL})\n\nand"
    assert len(told.images) == 1


def test_the_pictures_of_a_frame_are_those_that_are_shown() -> None:
    draft = {**PICTURE, "thought": True}
    sound = {"inlineData": {"mimeType": "audio/L16", "data": "AQI="}}
    frame = parts(draft, {"text": "see"}, sound, PICTURE, {"inlineData": {"mimeType": "image/png"}})
    assert list(pictures_in(frame)) == [PICTURE["inlineData"]["data"]]
    assert [list(pictures_in(wrong)) for wrong in ({}, {"candidates": [{"content": 3}]})] == [
        [],
        [],
    ]


def test_a_picture_that_is_kept_is_a_link() -> None:
    whole = answer(attrs.evolve(TELLING, markdown=True))
    whole.links[PICTURE["inlineData"]["data"]] = ["/images/a"]
    first, second = Choice(whole).read(parts(PICTURE))
    assert first["images"][0]["image_url"] == {"url": "/images/a"}
    assert second["content"] == "![image](/images/a)\n\n"


def test_sound_is_joined() -> None:
    def sound(data: str) -> Json:
        return {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": data}}

    frames = [parts(sound("AQI=")), parts(sound("AwQ=")), STOP]
    whole = message(frames)["audio"]
    assert whole["data"] == "AQIDBA=="
    assert whole["mime_type"] == "audio/L16;codec=pcm;rate=24000"
    assert [piece["data"] for piece in read(frames).audio] == ["AQI=", "AwQ="]


def test_other_data_is_a_file() -> None:
    frames = [parts({"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}}), STOP]
    assert read(frames).files == message(frames)["files"]
    assert read(frames).files[0]["file"]["file_data"].startswith("data:application/pdf;base64,")


def test_code_that_google_ran_is_fenced_text() -> None:
    frames = [
        text("I count."),
        parts({"executableCode": {"language": "PYTHON", "code": "print(1)\n"}}),
        parts({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}),
        text("One."),
        STOP,
    ]
    content = "I count.\n\n```python\nprint(1)\n```\n\n```\n1\n```\n\nOne."
    assert read(frames).content == message(frames)["content"] == content


GROUNDED = [
    text("Größe "),
    parts({"executableCode": {"code": "1"}}),
    text("zählt."),
    {
        "candidates": [
            {
                "finishReason": "STOP",
                "groundingMetadata": {
                    "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
                    "groundingSupports": [
                        {
                            "segment": {"startIndex": 8, "endIndex": 15, "text": "zählt."},
                            "groundingChunkIndices": [0],
                        }
                    ],
                },
            }
        ]
    },
]


def test_sources_are_annotations_whose_places_count_characters_of_the_content() -> None:
    told, whole = read(GROUNDED), message(GROUNDED)
    assert told.annotations == whole["annotations"]
    cited = told.annotations[0]["url_citation"]
    assert whole["content"][cited["start_index"] : cited["end_index"]] == "zählt."
    assert (cited["url"], cited["title"]) == ("https://a.example", "A")


@pytest.mark.parametrize("data", [None, b"", b"[]", b"3", b"{", b'"x"', b"\xff"])
def test_what_is_no_object_says_nothing(data: bytes | None) -> None:
    assert document_of(data) == {}


def test_numbers_beyond_a_double_are_read() -> None:
    assert document_of(b'{"a":1e999}')["a"] > 1e300
