"""What the choices of one answer share."""

from tests.openai.told import CREATED, answer


def test_the_first_frame_of_any_choice_names_the_answer() -> None:
    whole = answer(n=2)
    whole.begin({"responseId": "a", "modelVersion": "m1"})
    whole.begin({"responseId": "b", "modelVersion": "m2"})
    assert whole.head("chat.completion") == {
        "id": "chatcmpl-a",
        "object": "chat.completion",
        "created": CREATED,
        "model": "boat",
        "system_fingerprint": "m1",
    }


def test_an_answer_ends_with_its_last_choice() -> None:
    whole = answer(n=2)
    assert not whole.end(1, {"promptTokenCount": 1})
    assert whole.end(0, {"promptTokenCount": 2})
    assert whole.usage()["prompt_tokens"] == 3


def test_a_name_that_is_no_text_is_none() -> None:
    whole = answer()
    whole.begin({"responseId": 3, "modelVersion": [], "usageMetadata": 1})
    assert whole.id == "chatcmpl-req-1"
    assert whole.head("x")["system_fingerprint"] is None


def test_the_tier_may_be_known_at_the_end_only() -> None:
    whole = answer(n=2)
    whole.begin({})
    whole.end(0, {"serviceTier": "FLEX"})
    assert "service_tier" not in whole.head("x")
    whole.end(1, {"serviceTier": "FLEX"})
    assert whole.head("x")["service_tier"] == "flex"


def test_a_link_is_given_once_for_each_time_that_the_picture_was_kept() -> None:
    whole = answer(n=2)
    whole.links["AA=="] = ["/images/b", "/images/a"]

    links = [whole.link(data) for data in ("AA==", "AAEC", "AA==", "AA==")]
    assert links == ["/images/a", "", "/images/b", ""]


def test_large_pictures_stand_in_the_answer_when_it_is_written_and_are_forgotten() -> None:
    whole = answer()
    names = [whole.stand_in(data) for data in (b"AAAA", memoryview(b"BBBB"))]
    written = f'["{names[1]}","{names[0]}","{names[1]}"]'.encode()

    assert b"".join(whole.filled(written)) == b'["BBBB","AAAA","BBBB"]'
    assert whole.filled(b"[]") == [b"[]"]


def test_a_link_to_a_large_picture_is_found_by_its_bytes() -> None:
    whole = answer()
    whole.links["AA=="] = ["/images/a"]

    assert whole.link(memoryview(b"AA==")) == "/images/a"
