"""The values of which an answer is made."""

import base64

import pytest

from gemproxy.chaos.answers import Answer, code_result, executable_code, expected_text, image


def test_an_uncut_client_gets_the_whole_text() -> None:
    answer = Answer("Hello", thoughts="hm", closing=(image(b"x"),))
    assert expected_text(answer) == "Hello"


def test_a_blocked_prompt_gets_no_text() -> None:
    assert expected_text(Answer("Hello", block="SAFETY")) == ""


@pytest.mark.parametrize("size", [(0, 3), (4, 3), (-1, 5)])
def test_a_chunk_has_at_least_one_character(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="least <= greatest"):
        Answer("Hello", chunk=size)


def test_parts_look_as_the_api_writes_them() -> None:
    picture = image(b"\x00\xff", "image/webp")["inlineData"]
    assert picture["mimeType"] == "image/webp"
    assert base64.b64decode(picture["data"]) == b"\x00\xff"
    assert executable_code("1+1") == {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    assert code_result("2")["codeExecutionResult"]["output"] == "2"
