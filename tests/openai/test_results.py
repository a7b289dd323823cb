"""What the results of calls say and show."""

import pytest

from tests.openai.histories import (
    GO,
    INLINE,
    OLD,
    PICTURE,
    PNG,
    Json,
    call,
    calls,
    contents,
    response,
    result,
    said,
)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("low", {"result": "low"}),
        ("", {"result": ""}),
        (None, {"result": ""}),
        ([], {"result": ""}),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {"result": "a\nb"}),
        ('{"level":1.5,"big":9007199254740993}', {"level": 1.5, "big": 9007199254740993}),
        ([{"type": "text", "text": '{"a":1}'}], {"a": 1}),
        ({"a": 1}, {"a": 1}),
        (7, {"result": "7"}),
        (True, {"result": "true"}),
        ("[1,2]", {"result": "[1,2]"}),
        ("null", {"result": "null"}),
        ('"text"', {"result": '"text"'}),
        ('{"a":1,"a":2}', {"result": '{"a":1,"a":2}'}),
        ('{"n":NaN}', {"result": '{"n":NaN}'}),
        ('{"n":1e999}', {"result": '{"n":1e999}'}),
        ('{"$ref":"#/x"}', {"result": '{"$ref":"#/x"}'}),
        ('{"a":[{"$ref":"x"}]}', {"result": '{"a":[{"$ref":"x"}]}'}),
        ('{"$ref":{"a":1}}', {"$ref": {"a": 1}}),
        ({"a": {"$ref": "x"}}, {"result": '{"a": {"$ref": "x"}}'}),
        ('{"a":1} tail', {"result": '{"a":1} tail'}),
    ],
)
def test_an_object_goes_as_it_is_and_text_as_a_result(content: object, value: Json) -> None:
    found = contents([GO, calls(call("A")), result("A", content)])

    assert found[2] == said("user", response("A", "tide", value))


def test_a_deep_object_goes_as_text() -> None:
    deep = '{"a":' + "[" * 90 + "]" * 90 + "}"

    found = contents([GO, calls(call("A")), result("A", deep)])

    assert found[2] == said("user", response("A", "tide", deep))


def test_a_picture_is_within_the_result_where_the_model_takes_it() -> None:
    content = [{"type": "text", "text": "chart"}, PICTURE]

    found = contents([GO, calls(call("A"), call("B")), result("A", content),
                      result("B", [PICTURE])])  # fmt: skip

    assert found[2] == said(
        "user",
        response("A", "tide", "chart", parts=[INLINE]),
        response("B", "tide", "", parts=[INLINE]),
    )


def test_a_picture_is_beside_the_result_before_gemini_3() -> None:
    content = [{"type": "text", "text": "chart"}, PICTURE]

    found = contents([GO, calls(call("A"), call("B")), result("A", content),
                      result("B", [PICTURE])], OLD)  # fmt: skip

    assert found[2] == said(
        "user", response("A", "tide", "chart"), INLINE, response("B", "tide", ""), INLINE
    )


def test_sound_in_a_result_is_shown_behind_it() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    inline = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}

    found = contents([GO, calls(call("A")), result("A", [audio]), GO])

    assert found[2:] == [
        said("user", response("A", "tide", "")),
        said("user", inline, "go"),
    ]


@pytest.mark.parametrize(
    "text", [f"data:image/png;base64,{PNG}", f"![plot](data:image/png;base64,{PNG})"]
)
def test_base64_of_a_picture_is_no_text(text: str) -> None:
    found = contents([GO, calls(call("A")), result("A", text)])

    assert found[2] == said("user", response("A", "tide", "", parts=[INLINE]))


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "data:image/png;base64,*", "data:image/png,raw"]
)
def test_a_picture_that_cannot_be_shown_is_a_remark(url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]

    found = contents([GO, calls(call("A")), result("A", content)])

    told = found[2]["parts"][0]["functionResponse"]["response"]["result"]
    assert "cannot be shown" in told
    assert "data:" not in told
