"""The most tokens that a request should use, before it goes up."""

import json
import struct
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.accounts.cost import most_cost
from gemproxy.accounts.estimate import (
    LIVE_SESSION,
    UNREAD_PICTURE,
    UNSEEN,
    Asking,
    Estimate,
    asking,
    estimate,
    picture_tokens,
    text_tokens,
)
from gemproxy.accounts.media import Size
from gemproxy.accounts.prices import parse_prices
from gemproxy.core.answer.usage import Billed
from gemproxy.exchange.exchange import Exchange

OLD, NEW = "gemini-2.5-flash", "gemini-3.8-flash"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 1024, 1024) + bytes(100)


def judged(document: object, kind: Asking = Asking.GENERATION, model: str = OLD) -> Estimate:
    return estimate(kind, model, json.dumps(document).encode(), 8192)


def with_part(part: object, **more: object) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [part]}], **more}


def inline(mime: str, data: bytes) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": b64encode(data).decode()}}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1beta/models/x:generateContent", Asking.GENERATION),
        ("/v1beta/models/x:streamGenerateContent", Asking.GENERATION),
        ("/v1beta/models/x:countTokens", Asking.COUNT),
        ("/v1beta/models/x:embedContent", Asking.EMBEDDING),
        ("/v1beta/models/x:batchEmbedContents", Asking.EMBEDDING),
        ("/v1beta/models/imagen:predict", Asking.PICTURES),
        ("/v1beta/models/veo:predictLongRunning", Asking.FILMS),
        ("/v1beta/interactions", Asking.INTERACTION),
        ("/v1beta/openai/chat/completions", Asking.OPENAI),
        ("/v1beta/openai/embeddings", Asking.EMBEDDING),
        ("/v1beta/openai/images/generations", Asking.PICTURES),
        ("/v1beta/openai/videos", Asking.FILMS),
    ],
)
def test_a_path_says_what_is_asked(path: str, kind: Asking) -> None:
    assert asking(Exchange("id", "x", "POST", path, "", {})) is kind


def test_a_session_is_asked_for_with_a_get() -> None:
    assert asking(Exchange("id", "live", "GET", "/ws/x", "", {})) is Asking.LIVE


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("The quick brown fox jumps over the lazy dog.", 11),
        ("Über die Straße führt ein schmaler Weg zum Fluss.", 16),
        ("敏捷的棕色狐狸跳过了懒狗。", 13),
        ("Съешь ещё этих мягких французских булок", 17),
        ("3.14159265358979", 16),
        ("def f(x):\n    return x ** 2 + 1\n", 16),
        ("🦊🐕", 8),
    ],
)
def test_a_text_has_no_more_tokens_than_that(text: str, real: int) -> None:
    """``real`` are at least the tokens of vocabularies of the size of Gemini's."""
    assert real <= text_tokens(text.encode()) <= 3 * real


@given(st.text(), st.text())
def test_the_tokens_of_a_text_grow_with_it(one: str, other: str) -> None:
    first, both = text_tokens(_utf8(one)), text_tokens(_utf8(one + other))

    assert first <= both <= first + text_tokens(_utf8(other))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        (Size(384, 384), 258),
        (Size(385, 10), 258 * 64),
        (Size(960, 540), 258 * 6),
        (Size(1024, 1024), 258 * 4),
        (Size(3072, 3072), 258 * 16),
        (Size(12_000, 12_000), 258 * 16),
        (None, UNREAD_PICTURE),
    ],
)
def test_a_picture_has_tiles(size: Size | None, tokens: int) -> None:
    assert picture_tokens(size, None, older=True) == tokens


@pytest.mark.parametrize(
    ("resolution", "tokens"),
    [(None, 1120), ("low", 280), ("medium", 560), ("high", 1120), ("ultra_high", 2240)],
)
def test_a_newer_model_has_a_number_for_each_resolution(
    resolution: str | None, tokens: int
) -> None:
    assert picture_tokens(Size(9, 9), resolution, older=False) == max(tokens, 258)


def test_a_picture_in_base64_is_not_counted_by_its_length() -> None:
    large = judged(with_part(inline("image/png", PNG + bytes(3_000_000))))

    assert large.most.images == 4 * 258
    assert large.most.prompt < 4 * 258 + 60


@pytest.mark.parametrize(
    "part",
    [
        inline("image/png", PNG),
        {"inline_data": {"mime_type": "IMAGE/PNG", "data": urlsafe_b64encode(PNG).decode()}},
        {"type": "image", "data": b64encode(PNG).decode(), "mime_type": "image/png"},
        {"type": "image", "data": b64encode(PNG).decode()},
        {"image_url": {"url": f"data:image/png;base64,{b64encode(PNG).decode()}"}},
    ],
)
def test_every_dialect_has_its_pictures(part: object) -> None:
    assert judged(with_part(part)).most.images == 4 * 258


@pytest.mark.parametrize(
    ("part", "config"),
    [
        (inline("image/png", PNG), {"mediaResolution": "MEDIA_RESOLUTION_ULTRA_HIGH"}),
        (inline("image/png", PNG), {"media_resolution": {"level": "media_resolution_ultra_high"}}),
    ],
)
def test_a_resolution_is_read_from_the_configuration(part: object, config: object) -> None:
    asked = with_part(part, generationConfig=config)

    assert judged(asked, model=NEW).most.images == 2240


def test_a_long_sound_of_a_second_costs_a_second() -> None:
    head = b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00"
    wav = head + struct.pack("<HHIIHH", 1, 2, 48_000, 192_000, 4, 16) + bytes(192_000 * 3)
    most = judged(with_part(inline("audio/wav", wav))).most

    assert 96 <= most.audio <= 97
    assert most.prompt < most.audio + 60


@pytest.mark.parametrize(
    ("part", "audio"),
    [
        (inline("audio/pcm;rate=16000", bytes(320_000)), 320),
        (inline("audio/L16; codec=pcm; rate=24000", bytes(480_000)), 320),
        ({"input_audio": {"data": b64encode(bytes(20_000)).decode(), "format": "mp3"}}, 320),
        (inline("audio/ogg", bytes(20_000)), 320),
        (inline("audio/pcm;rate=0000", b""), 0),
    ],
)
def test_sound_without_a_header_is_judged_by_its_bytes(part: object, audio: int) -> None:
    assert judged(with_part(part)).most.audio == pytest.approx(audio, abs=0)


def test_a_film_is_judged_by_its_seconds() -> None:
    movie = b"\x00\x00\x00\x10ftypisom\x00\x00\x02\x00\x00\x00\x00\x6cmvhd" + bytes(4)
    movie += struct.pack(">IIII", 1, 2, 1000, 10_000) + bytes(1_000_000)

    assert judged(with_part(inline("video/mp4", movie))).most.video == 3120
    assert judged(with_part(inline("video/x", bytes(125_000)))).most.video == 3120


@pytest.mark.parametrize(("model", "each"), [(OLD, 258), (NEW, 560)])
def test_a_document_is_judged_by_its_pages(model: str, each: int) -> None:
    pdf = b"%PDF << /Type /Pages /Count 17 >>" + bytes(100_000)

    assert judged(with_part(inline("application/pdf", pdf)), model=model).most.images == 17 * each


@pytest.mark.parametrize("before", [0, 5_000_001])
def test_both_ends_of_a_large_document_are_read(before: int) -> None:
    pdf = bytes(before) + b"%PDF << /Type /Pages /Count 17 >>" + bytes(5_000_002 - before)

    assert judged(with_part(inline("application/pdf", pdf))).most.images == 17 * 258


def test_some_pages_of_a_large_document_are_not_taken_for_all() -> None:
    pdf = b"<< /Type /Page >>" + bytes(5_000_000)

    assert judged(with_part(inline("application/pdf", pdf))).most.images == 1000 * 258


def test_a_document_that_names_no_pages_is_judged_by_its_bytes() -> None:
    assert judged(with_part(inline("application/pdf", bytes(20_000)))).most.images == 10 * 258


def test_a_text_in_base64_is_read() -> None:
    text = judged(with_part(inline("text/plain", b"word " * 1000)))

    assert 2500 <= text.most.prompt <= 2600
    assert 1250 <= text.expected.prompt <= 1300


@pytest.mark.parametrize(
    "asked",
    [
        with_part({"fileData": {"fileUri": "files/x", "mimeType": "text/plain"}}),
        with_part({"file_data": {"file_uri": "files/x"}}),
        with_part({"text": "x"}, cachedContent="cachedContents/x"),
        with_part({"text": "x"}, cached_content="cachedContents/x"),
        with_part({"text": "x"}, tools=[{"urlContext": {}}]),
        {"input": "x", "previous_interaction_id": "y"},
    ],
)
def test_what_is_not_in_the_request_has_a_number_of_its_own(asked: object) -> None:
    found = judged(asked)

    assert UNSEEN <= found.most.prompt <= UNSEEN + 60
    assert found.expected.prompt >= UNSEEN


@pytest.mark.parametrize(
    ("mime", "kind", "tokens"),
    [
        ("image/png", "images", UNREAD_PICTURE),
        ("audio/mp3", "audio", UNSEEN),
        ("video/mp4", "video", UNSEEN),
    ],
)
def test_a_file_by_uri_counts_as_its_kind(mime: str, kind: str, tokens: int) -> None:
    part = {"fileData": {"fileUri": "files/x", "mimeType": mime}}

    assert getattr(judged(with_part(part)).most, kind) == tokens


def test_everything_around_the_prompt_counts_too() -> None:
    plain = judged(with_part({"text": "x"}))
    tools = [{"functionDeclarations": [{"name": "f", "description": "word " * 100}]}]

    for more in ({"systemInstruction": "word " * 100}, {"tools": tools}):
        assert judged(with_part({"text": "x"}, **more)).most.prompt >= plain.most.prompt + 250


@pytest.mark.parametrize(
    ("kind", "asked", "output"),
    [
        (Asking.GENERATION, {}, 8192),
        (Asking.GENERATION, {"generationConfig": {"maxOutputTokens": 100}}, 100),
        (Asking.GENERATION, {"generation_config": {"max_output_tokens": "100"}}, 100),
        (
            Asking.GENERATION,
            {"generationConfig": {"maxOutputTokens": 100, "candidateCount": 3}},
            300,
        ),
        (Asking.GENERATION, {"generationConfig": {"candidate_count": 2}}, 16_384),
        (Asking.GENERATION, {"generationConfig": {"maxOutputTokens": -1}}, 8192),
        (Asking.GENERATION, {"generationConfig": {"maxOutputTokens": True}}, 8192),
        (Asking.GENERATION, {"generationConfig": {"maxOutputTokens": "1e5"}}, 100_000),
        (Asking.GENERATION, {"generationConfig": {"maxOutputTokens": "x"}}, 8192),
        (
            Asking.GENERATION,
            {
                "generationConfig": {"candidateCount": 2},
                "generation_config": {"maxOutputTokens": 9},
            },
            18,
        ),
        (Asking.OPENAI, {"max_completion_tokens": 5, "max_tokens": 100}, 100),
        (Asking.GENERATION, {"generationConfig": 7}, 8192),
        (Asking.INTERACTION, {"generation_config": {"max_output_tokens": 100}}, 100),
        (Asking.OPENAI, {"max_tokens": 100}, 100),
        (Asking.OPENAI, {"max_completion_tokens": 100, "n": 2}, 200),
        (Asking.OPENAI, {"max_completion_tokens": 1, "max_tokens": 100}, 100),
        (
            Asking.GENERATION,
            {
                "generationConfig": {"maxOutputTokens": 1},
                "generation_config": {"max_output_tokens": 100, "candidate_count": 2},
            },
            200,
        ),
        (
            Asking.GENERATION,
            {"generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 100}},
            100,
        ),
        (Asking.OPENAI, {"max_output_tokens": 100}, 100),
        (Asking.OPENAI, {}, 8192),
        (Asking.EMBEDDING, {"content": "x"}, 0),
    ],
)
def test_output_is_the_limit_for_each_candidate(kind: Asking, asked: object, output: int) -> None:
    assert judged(asked, kind).most.output == output


def test_a_count_uses_nothing() -> None:
    assert judged({"contents": "x" * 100}, Asking.COUNT) == Estimate()


def test_a_session_holds_a_number_of_its_own() -> None:
    assert estimate(Asking.LIVE, NEW, None, 8192).tokens == LIVE_SESSION


@pytest.mark.parametrize(
    ("kind", "asked", "things"),
    [
        (Asking.PICTURES, {"instances": [{}], "parameters": {"sampleCount": 2}}, (2, 0)),
        (Asking.PICTURES, {"instances": [{}, {}], "parameters": {}}, (8, 0)),
        (Asking.PICTURES, {"prompt": "x", "n": 3}, (3, 0)),
        (Asking.PICTURES, {"prompt": "x"}, (1, 0)),
        (Asking.FILMS, {"instances": [{}], "parameters": {"durationSeconds": 6}}, (0, 6)),
        (Asking.FILMS, {"instances": [{}], "parameters": {"sampleCount": 2}}, (0, 16)),
        (Asking.FILMS, {"prompt": "x", "seconds": "4"}, (0, 4)),
    ],
)
def test_pictures_and_films_are_counted_by_number(
    kind: Asking, asked: object, things: tuple[int, int]
) -> None:
    found = judged(asked, kind).most

    assert (found.pictures, found.seconds, found.total) == (*things, 0)


def test_a_body_that_is_not_kept_counts_as_text() -> None:
    found = estimate(Asking.GENERATION, OLD, None, 100, 4000)

    assert (found.most.prompt, found.most.output, found.expected.prompt) == (2000, 100, 1000)


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff\xfe{}", b"{'a'}", b"[" * 5000])
def test_a_body_that_is_no_object_is_judged_by_its_length(body: bytes) -> None:
    assert estimate(Asking.GENERATION, OLD, body, 5).most.prompt == -(-len(body) // 2)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["contents", "parts", "text", "data", "mimeType", "url", "uri", "generationConfig"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=9), json_values), st.sampled_from(Asking))
def test_no_request_raises_and_most_is_no_less_than_expected(
    document: dict[str, object], kind: Asking
) -> None:
    found = judged(document, kind)

    assert 0 <= found.expected.prompt <= found.most.prompt
    assert found.most.total == found.most.prompt + found.most.output


def test_the_output_of_an_estimate_costs_its_dearest_price() -> None:
    prices = parse_prices("""
[[models]]
name = "x"
[[models.prices]]
source = "invented"
checked = 2026-11-28
input = 1
output = 2
output_image = 30
[models.prices.long]
above = 100
input = 10
""").of("x", 0.0)

    assert most_cost(Billed(prompt=100, output=10, total=110), prices) == 100_000 + 300_000
    assert most_cost(Billed(prompt=101, output=10, total=111), prices) == 1_010_000 + 300_000
    assert most_cost(Billed(prompt=1), None) is None


def test_a_service_tier_is_part_of_an_estimate() -> None:
    assert judged({"serviceTier": "PRIORITY"}).most.tier == "priority"
    assert judged({"service_tier": "standard"}).most.tier == ""
